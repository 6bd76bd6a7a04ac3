//! Watches how much memory the kernel itself takes while a cell runs.
//!
//! evcxr reads all that a cell prints and sends it on more slowly than a loop can print; what waits is in its memory, without
//! a bound. A cell's own variables are in another process, which is not watched.

use anyhow::{Result, bail};

/// How much the kernel may grow while one cell runs.
const ROOM: u64 = 1 << 30;

/// The kernel's memory as a cell began.
#[derive(Debug)]
pub(crate) struct Guard {
    process: Option<u32>,
    before: Option<u64>,
    room: u64,
}

impl Guard {
    /// Watches this process from now on; without one, nothing.
    pub(crate) fn new(process: Option<u32>) -> Self {
        Self {
            process,
            before: process.and_then(resident),
            room: ROOM,
        }
    }

    /// Fails when the kernel has grown too much.
    pub(crate) fn check(&self) -> Result<()> {
        let now = self.process.and_then(resident);
        if let (Some(before), Some(now)) = (self.before, now)
            && now.saturating_sub(before) > self.room
        {
            bail!(
                "the cell printed faster than it can be shown, until what waited took {} MB; print less, or only every thousandth time",
                (now - before) / 1_000_000
            );
        }
        Ok(())
    }
}

/// The bytes of memory that a process holds; `None` where the system does not say so in a file.
fn resident(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_kernel_that_grows_is_noticed() {
        let mut guard = Guard::new(Some(std::process::id()));
        guard.room = 50_000_000;
        assert!(guard.check().is_ok());
        let waiting = vec![1_u8; 100_000_000];
        let error = guard.check().unwrap_err().to_string();
        assert!(error.contains("printed faster"), "{error}");
        drop(waiting);
        assert!(Guard::new(None).check().is_ok());
    }
}
