//! What the end-to-end tests share: the programs, what a command that must fail says, and a running `course up`.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

/// The repository: the one that is being tested, even where a clone that is gone left these tests in a shared target folder.
pub fn root() -> PathBuf {
    let folder =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    let folder = Path::new(&folder);
    folder.parent().unwrap_or(folder).to_owned()
}

/// The `course` program, built beside these tests.
pub fn course() -> Result<PathBuf> {
    program("course")
}

/// The program behind `course train`, `eval` and `predict`.
pub fn course_models() -> Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    built(&BUILT, "course-models")
}

/// The program behind `course summarize` and `embed`.
pub fn course_language() -> Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    built(&BUILT, "course-language")
}

/// `course-models` with these arguments, at the top of the repository.
pub fn models<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut command = Command::new(course_models()?);
    command
        .args(arguments)
        .current_dir(root())
        .env_remove("KINDLING_REPOSITORY")
        .stdin(Stdio::null());
    Ok(command)
}

/// What a program printed.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The one line of a command that must fail.
pub fn error(command: &mut Command) -> Result<String> {
    Ok(failure(command)?.0)
}

/// The same of a command that must not even begin: it prints nothing else.
pub fn refusal(command: &mut Command) -> Result<String> {
    let (message, printed) = failure(command)?;
    if !printed.is_empty() {
        bail!("{command:?} must print nothing, found {printed}");
    }
    Ok(message)
}

/// The line of the error, and what was printed besides.
fn failure(command: &mut Command) -> Result<(String, String)> {
    let output = command.output()?;
    let message = text(&output.stderr);
    let one_line = message.starts_with("error: ") && message.lines().count() == 1;
    if output.status.code() != Some(1) || !one_line {
        let status = output.status;
        bail!("{command:?} must fail with one line, found {status}: {message}");
    }
    Ok((message, text(&output.stdout)))
}

/// A file of this name in the folder.
pub fn written(folder: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let file = folder.join(name);
    std::fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    Ok(file.display().to_string())
}

/// The program of this package; built once, as it is now, in the profile whose libraries the other tests share.
fn built(place: &OnceLock<PathBuf>, package: &str) -> Result<PathBuf> {
    if let Some(program) = place.get() {
        return Ok(program.clone());
    }
    let mut command = Command::new("cargo");
    command
        .args(["build", "--package", package])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root())
        // Whoever runs the tests sees what is compiled, and counts it.
        .stderr(Stdio::inherit());
    // Where the tests of the crates that compute have compiled them already.
    kindling_kernel::compile_as_cells(&mut command)?;
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines();
    let mut built = messages.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = built.find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    let program = program.with_context(|| format!("`{package}` does not compile"))?;
    Ok(place.get_or_init(|| program).clone())
}

fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .ancestors()
        .nth(2)
        .context("the tests lie in no target folder")?;
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        let profile = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace("debug", "dev");
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--package", name, "--profile", &profile])
            .current_dir(root())
            .status()?;
        if !status.success() {
            bail!("`{name}` does not compile");
        }
    }
    Ok(program)
}

static ENTRANCES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The address to open before others of the server at `origin`, where [`Up`] started one.
#[must_use]
pub fn entrance(origin: &str) -> Option<String> {
    ENTRANCES.lock().ok()?.get(origin).cloned()
}

/// A running `course up`; dropping it ends it.
pub struct Up {
    child: Child,
    /// Where the book is.
    pub url: String,
    /// The address that `up` printed; a browser that has not opened it sees nothing.
    pub address: String,
    lines: mpsc::Receiver<String>,
}

impl Up {
    /// Starts `course up` on a free port and waits until the book can be read.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(course()?);
        command
            .args(["up", "--port", "0", "--no-open"])
            .args(arguments)
            .current_dir(root());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut up = Self {
            child,
            url: String::new(),
            address: String::new(),
            lines,
        };
        let line = up.wait_for("The book is open at ", Duration::from_secs(120))?;
        up.address = line.rsplit(' ').next().unwrap_or_default().to_owned();
        let (origin, _) = up
            .address
            .split_once("/?token=")
            .with_context(|| format!("`course up` printed no address with a token: {line}"))?;
        up.url = origin.to_owned();
        if let Ok(mut entrances) = ENTRANCES.lock() {
            entrances.insert(up.url.clone(), up.address.clone());
        }
        Ok(up)
    }

    /// Waits for a line that contains `text`.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        let end = Instant::now() + limit;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        bail!(
            "`course up` did not say `{text}` within {} s",
            limit.as_secs()
        )
    }

    /// Its process number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Presses Ctrl-C, and waits until it has ended.
    pub fn interrupt(&mut self) -> Result<()> {
        #[cfg(unix)]
        if let Some(process) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(process, rustix::process::Signal::INT)?;
        }
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("`course up` did not end within 30 s of Ctrl-C")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.interrupt().is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
