//! Another `course` that works beside this one, and ends with it.

use anyhow::{Context, Result};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdout, Command};

/// How long a helper gets to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A running helper, with everything that it started; dropping it kills them.
pub struct Helper {
    child: Child,
}

impl Helper {
    /// Starts this program with other arguments, in a process group of its own.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_with(arguments, Stdio::inherit())
    }

    /// The same; what it writes to its standard output can be read.
    pub fn start_reporting(arguments: &[&str]) -> Result<(Self, ChildStdout)> {
        let mut helper = Self::start_with(arguments, Stdio::piped())?;
        let output = helper.child.stdout.take();
        Ok((helper, output.context("a helper without an output")?))
    }

    fn start_with(arguments: &[&str], output: Stdio) -> Result<Self> {
        let program = crate::own::file()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdout(output)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let what = arguments.join(" ");
        let child = command
            .spawn()
            .with_context(|| format!("cannot start `course {what}`"))?;
        Ok(Self { child })
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and makes it.
    pub async fn end(mut self) {
        signal_group(&self.child, false);
        if tokio::time::timeout(GRACE, self.child.wait())
            .await
            .is_err()
        {
            signal_group(&self.child, true);
            let _ = self.child.kill().await;
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        signal_group(&self.child, true);
    }
}

/// Asks the whole group to end, or kills it.
fn signal_group(child: &Child, kill: bool) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let process = child.id().and_then(|process| i32::try_from(process).ok());
        if let Some(group) = process.and_then(Pid::from_raw) {
            let _ = kill_process_group(group, if kill { Signal::KILL } else { Signal::TERM });
        }
    }
    #[cfg(not(unix))]
    let _ = (child, kill);
}
