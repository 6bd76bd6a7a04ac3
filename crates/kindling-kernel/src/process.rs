//! What the system says of the kernel's own process: how much memory it takes while a cell runs, and whether it still works.
//!
//! evcxr reads all that a cell prints and sends it on more slowly than a loop can print; what waits is in its memory, without
//! a bound, and leaves after the word that the cell is over. A cell's own program is another process, which is not watched.

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

/// Whether a process still works.
#[derive(Debug)]
pub(crate) struct Work {
    process: Option<u32>,
    /// The processor time that its threads had taken when it was last asked, in the system's ticks.
    ticks: u64,
    /// Whether it did nothing the last time.
    was_quiet: bool,
}

impl Work {
    /// Watches this process from now on; without one, nothing.
    pub(crate) fn new(process: Option<u32>) -> Self {
        let ticks = process.map_or(0, |process| threads(process).1);
        Self {
            process,
            ticks,
            was_quiet: false,
        }
    }

    /// Whether it was at rest twice in a row: what it had sent by the first time has arrived by the second.
    pub(crate) fn is_over(&mut self) -> bool {
        let is_quiet = !self.goes_on();
        std::mem::replace(&mut self.was_quiet, is_quiet) && is_quiet
    }

    /// Whether it has computed since it was last asked, or would if it had a processor; `false` where the system does not say
    /// so in files.
    fn goes_on(&mut self) -> bool {
        let Some(process) = self.process else {
            return false;
        };
        let (runs, ticks) = threads(process);
        let before = std::mem::replace(&mut self.ticks, ticks);
        runs || ticks > before
    }
}

/// Whether a thread of this process runs or waits for a processor, and the ticks that all have taken.
fn threads(process: u32) -> (bool, u64) {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let (mut runs, mut ticks) = (false, 0);
    for thread in threads.into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name stands in brackets and may contain anything; behind it come the state and, 11 and 12 places on, the ticks.
        let Some((_, rest)) = text.rsplit_once(')') else {
            continue;
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        runs |= fields.first() == Some(&"R");
        ticks += [11, 12]
            .iter()
            .filter_map(|place| fields.get(*place)?.parse::<u64>().ok())
            .sum::<u64>();
    }
    (runs, ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_computes_works_and_one_that_waits_does_not() {
        let mut idle = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let mut busy = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let (mut waits, mut computes) = (Work::new(Some(idle.id())), Work::new(Some(busy.id())));
        std::thread::sleep(std::time::Duration::from_millis(30));
        let found = (
            waits.goes_on(),
            computes.goes_on(),
            Work::new(None).goes_on(),
        );
        let over = (waits.is_over(), waits.is_over(), computes.is_over());
        for child in [&mut idle, &mut busy] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, (false, true, false));
        assert_eq!(over, (false, true, false));
    }

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
