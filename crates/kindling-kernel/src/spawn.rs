//! Starts evcxr_jupyter in a folder of its own.

use crate::home::create_private;
use crate::{Home, KernelKind, sources, toolchain};
use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use jupyter_protocol::{ConnectionInfo, connection_info::Transport};
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Where the system looks for dynamic libraries. evcxr moves a cell's library up one folder, so that the relative path that
/// the compiler wrote into it leads nowhere; under cargo this variable is set already, under Jupyter it is not.
const LIBRARIES: &str = if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// A running evcxr_jupyter: its process, its folder and how to reach it. Dropping it ends it.
#[derive(Debug)]
pub struct Evcxr {
    pub(crate) child: Child,
    pub(crate) folder: Folder,
    pub(crate) connection: ConnectionInfo,
    _watchdog: Watchdog,
}

/// A shell that ends the kernel's process group as soon as our end of its standard input closes.
///
/// The pipe closes however we end, killed included, so that no kernel outlives us: evcxr does not notice the death of its
/// parent, and a cell in an endless loop does not notice the death of evcxr.
#[derive(Debug)]
struct Watchdog {
    shell: std::process::Child,
}

impl Watchdog {
    fn start(process: u32, folder: &Path) -> Result<Self> {
        let script = r#"read -r line; kill -s KILL -- "-$1" 2>/dev/null; rm -rf -- "$2""#;
        let mut command = std::process::Command::new("/bin/sh");
        command
            .args(["-c", script, "kindling-watchdog", &process.to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C in the terminal is for us alone.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let shell = command
            .spawn()
            .context("cannot start /bin/sh, which watches over the kernel")?;
        Ok(Self { shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A kernel's own folder; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    /// The file whose existence asks a long-running cell to stop.
    pub(crate) fn stop_file(&self) -> PathBuf {
        self.0.join("stop")
    }
}

impl Evcxr {
    /// Starts a kernel with the crates that [`crate::prepare_for`] compiled.
    pub async fn start(home: &Home, crates: KernelKind) -> Result<Self> {
        if !crate::is_prepared_for(home, crates) {
            let (with, which) = crates.extra().map_or(Default::default(), |extra| {
                (format!(" with {extra}"), format!(" --crates {extra}"))
            });
            bail!("the kernel{with} is not prepared; run `cargo course kernel prepare{which}`");
        }
        clean_up(home);
        let folder = copy_template(home, crates)?;
        let mut environment = vec![
            ("EVCXR_CONFIG_DIR".into(), home.config(crates).into()),
            ("EVCXR_TMPDIR".into(), folder.0.join("cells").into()),
            ("KINDLING_KERNEL".into(), "1".into()),
            ("KINDLING_STOP_FILE".into(), folder.stop_file().into()),
            ("KINDLING_COURSE".into(), home.course().into()),
        ];
        if home.library().join("core").is_dir() {
            environment.push(("RUST_SRC_PATH".into(), home.library().into()));
        }
        if let Some(real) = sources::toolchain() {
            // Past rustup's proxies, which cost tens of milliseconds at each of a dozen calls.
            let seen = toolchain::seen(&folder.0.join("toolchain"), &real)?;
            let mut path = vec![seen.join("bin")];
            path.extend(
                std::env::var_os("PATH")
                    .iter()
                    .flat_map(std::env::split_paths),
            );
            environment.push(("PATH".into(), std::env::join_paths(path)?));
            // The folder between is named after the kind of machine.
            let mut libraries = each(&real.join("lib/rustlib"), "lib");
            libraries.extend(each(&folder.0.join("cells/target"), "debug"));
            libraries.extend(
                std::env::var_os(LIBRARIES)
                    .iter()
                    .flat_map(std::env::split_paths),
            );
            environment.push((LIBRARIES.into(), std::env::join_paths(libraries)?));
            environment.push(("RUSTUP_TOOLCHAIN".into(), seen.into()));
        }
        Self::launch(home, folder, environment).await
    }

    /// Starts a kernel as it comes: no configuration, no crates, an empty folder. For comparison.
    pub async fn start_stock(home: &Home) -> Result<Self> {
        let folder = new_folder(home)?;
        let environment = vec![
            ("EVCXR_CONFIG_DIR".into(), folder.0.join("no-config").into()),
            ("EVCXR_TMPDIR".into(), folder.0.clone().into()),
        ];
        Self::launch(home, folder, environment).await
    }

    async fn launch(
        home: &Home,
        folder: Folder,
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Self> {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (ports, listeners) =
            jupyter_zmq_client::peek_ports_with_listeners(localhost, 5).await?;
        let connection = ConnectionInfo {
            ip: localhost.to_string(),
            transport: Transport::TCP,
            shell_port: ports[0],
            iopub_port: ports[1],
            stdin_port: ports[2],
            control_port: ports[3],
            hb_port: ports[4],
            key: random_key()?,
            signature_scheme: "hmac-sha256".to_owned(),
            kernel_name: Some("kindling".to_owned()),
        };
        let file = folder.0.join("connection.json");
        write_private(&file, &serde_json::to_string_pretty(&connection)?)?;
        let mut command = Command::new(home.evcxr());
        command.arg("--control_file").arg(&file);
        if let Ok(library) = sources::standard_library() {
            command.env("RUST_SRC_PATH", library);
        }
        // Candle's idle threads would wait in a busy loop; on few cores that makes small networks five times as slow.
        command.env("CANDLE_BARRIER_POOL_SPIN_LIMIT", "0");
        // And the C library keeps the memory of freed tensors, which makes training large layers twice as fast.
        command.env("MALLOC_MMAP_THRESHOLD_", "33554432");
        command.env("MALLOC_TRIM_THRESHOLD_", "17179869184");
        command.envs(environment);
        // evcxr installs itself into Jupyter's folder when it finds one there: give it none.
        command.env("JUPYTER_PATH", folder.0.join("jupyter"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file(&folder.0)?)
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        drop(listeners);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", home.evcxr().display()))?;
        let process = child
            .id()
            .context("the kernel ended as soon as it started")?;
        std::fs::write(folder.0.join("pid"), process.to_string())?;
        let watchdog = Watchdog::start(process, &folder.0)?;
        Ok(Self {
            child,
            folder,
            connection,
            _watchdog: watchdog,
        })
    }

    /// A kernel for tests: any process, with the folder and the connection of another.
    #[cfg(all(test, unix))]
    pub(crate) fn fake(
        mut command: Command,
        folder: PathBuf,
        connection: ConnectionInfo,
    ) -> Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let process = child.id().context("the process ended")?;
        std::fs::write(folder.join("pid"), process.to_string())?;
        let watchdog = Watchdog::start(process, &folder)?;
        Ok(Self {
            child,
            folder: Folder(folder),
            connection,
            _watchdog: watchdog,
        })
    }

    /// What evcxr wrote to its standard error, for error messages.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("log"))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Ends evcxr, the program that runs the cells, and what they started.
    pub async fn end(&mut self) {
        if let Some(process) = self.child.id() {
            kill_group(process);
        }
        let _ = self.child.kill().await;
    }
}

impl Drop for Evcxr {
    fn drop(&mut self) {
        if let Some(process) = self.child.id() {
            kill_group(process);
        }
    }
}

/// Kills the whole process group of a kernel: evcxr leads one.
pub(crate) fn kill_group(process: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = process;
}

/// Whether a process of this number runs.
pub(crate) fn is_alive(process: u32) -> bool {
    #[cfg(unix)]
    return i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|process| rustix::process::test_kill_process(process).is_ok());
    #[cfg(not(unix))]
    return process != 0;
}

/// Removes the folders of kernels that are gone.
pub(crate) fn clean_up(home: &Home) {
    for entry in std::fs::read_dir(home.sessions())
        .into_iter()
        .flatten()
        .flatten()
    {
        let Ok(text) = std::fs::read_to_string(entry.path().join("pid")) else {
            continue;
        };
        if text.trim().parse().is_ok_and(|process| !is_alive(process)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn new_folder(home: &Home) -> Result<Folder> {
    let path = home
        .sessions()
        .join(format!("kernel-{}", &random_key()?[..12]));
    home.create()?;
    create_private(&path)?;
    Ok(Folder(path))
}

/// The folders called `name` in the folders of `folder`.
fn each(folder: &Path, name: &str) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    folders
        .map(|entry| entry.path().join(name))
        .filter(|path| path.is_dir())
        .collect()
}

/// A copy of the template: compiled crates as hard links, because nothing writes to them; what cargo rewrites as copies.
fn copy_template(home: &Home, crates: KernelKind) -> Result<Folder> {
    let folder = new_folder(home)?;
    let template = home.template(crates);
    copy_tree(&template, &folder.0).with_context(|| {
        format!(
            "cannot copy {} to {}",
            template.display(),
            folder.0.display()
        )
    })?;
    Ok(folder)
}

/// Copies a folder, but for what the compiler keeps to compile the same again.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != "incremental" {
            copy_entry(&entry, &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Copies a file, a link or a folder; whatever is compiled becomes a link to the same bytes where that can be.
pub(crate) fn copy_entry(entry: &std::fs::DirEntry, target: &Path) -> std::io::Result<()> {
    let (source, kind) = (entry.path(), entry.file_type()?);
    if kind.is_dir() {
        return copy_tree(&source, target);
    }
    #[cfg(unix)]
    if kind.is_symlink() {
        return std::os::unix::fs::symlink(std::fs::read_link(&source)?, target);
    }
    let compiled = source
        .extension()
        .is_some_and(|end| end == "rlib" || end == "rmeta" || end == "so");
    if compiled {
        let _ = std::fs::remove_file(target);
        if std::fs::hard_link(&source, target).is_ok() {
            return Ok(());
        }
    }
    copy_with_time(&source, target)
}

/// Copies a file with its modification time, by which cargo knows that nothing is to be rebuilt.
pub(crate) fn copy_with_time(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    let modified = std::fs::metadata(from)?.modified()?;
    std::fs::File::options()
        .write(true)
        .open(to)?
        .set_modified(modified)
}

fn random_key() -> Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("no random numbers from the system: {error}"))?;
    Ok(HEXLOWER.encode(&bytes))
}

/// Writes a file that only its owner can read: whoever knows the key can run code.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    Ok(())
}

fn log_file(folder: &Path) -> Result<Stdio> {
    Ok(std::fs::File::create(folder.join("log"))?.into())
}
