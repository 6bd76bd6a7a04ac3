//! `course jupyter`: JupyterLab on the course's notebooks, in a Python environment of its own.

use anyhow::{Context, Result, bail};
use kindling_kernel::{Home, KernelKind, Pool, is_prepared_for};
use kindling_progress::Progress;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What is installed; changing a line installs it again.
const PACKAGES: [&str; 3] = ["jupyterlab==4.6.6", "nbclient==0.11.0", "nbformat==5.11.1"];

/// How long JupyterLab gets to end its kernels before it is killed.
const GRACE: Duration = Duration::from_secs(8);

/// Open JupyterLab on the notebooks of the course.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    port: u16,

    /// Do not open a browser, only say where it is
    #[arg(long)]
    no_open: bool,

    /// Do not keep a kernel warm (something else does)
    #[arg(long)]
    no_pool: bool,

    /// Install what is needed and end
    #[arg(long)]
    install_only: bool,
}

/// Runs `course jupyter` until it is told to end.
pub fn run(args: Args) -> Result<()> {
    let root = crate::repository()?;
    let home = Home::locate(&root);
    let python = install(&home)?;
    if args.install_only {
        println!("{}", python.display());
        return Ok(());
    }
    crate::kernel::prepare_kernel(&home, &[KernelKind::COURSE])?;
    name_kernels(&home)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(serve(&home, &root, &python, &args));
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

/// Lets JupyterLab know the kernels of all pages, and says which of them are prepared later.
fn name_kernels(home: &Home) -> Result<()> {
    let kernels = crate::kernel::needed(home);
    kindling_kernel::install_specifications(home, crate::own::file()?, &kernels)?;
    let later = kernels
        .iter()
        .filter(|crates| !is_prepared_for(home, **crates));
    for extra in later.filter_map(|crates| crates.extra()) {
        println!(
            "A notebook that uses {extra} prepares its kernel when it is first opened, once, for some minutes; the progress is \
             shown here. `cargo course kernel prepare --crates {extra}` does it before"
        );
    }
    Ok(())
}

async fn serve(home: &Home, root: &Path, python: &Path, args: &Args) -> Result<()> {
    let pool = (!args.no_pool).then(|| Pool::keep(home));
    let mut lab = Lab::start(home, root, python, args.port, !args.no_open)?;
    let ended = tokio::select! {
        status = lab.child.wait() => Some(status?),
        end = told_to_end() => { end?; None }
    };
    match ended {
        Some(status) if !status.success() => bail!("JupyterLab ended ({status})"),
        Some(_) => {}
        None => lab.end().await,
    }
    drop(pool);
    Ok(())
}

/// A running JupyterLab; dropping it ends it.
#[derive(Debug)]
pub struct Lab {
    child: Child,
}

impl Lab {
    /// Starts JupyterLab on the notebooks below `root`, reachable from this machine alone.
    ///
    /// Its settings and its kernels are the course's own: nothing of the learner's own Jupyter is read or changed.
    pub fn start(home: &Home, root: &Path, python: &Path, port: u16, open: bool) -> Result<Self> {
        let own = home.root().join("lab");
        let mut command = Command::from(python_command(python));
        command
            .args(["-m", "jupyterlab", "--ServerApp.ip=127.0.0.1"])
            .arg(format!("--ServerApp.port={port}"))
            .arg(format!(
                "--ServerApp.open_browser={}",
                if open { "True" } else { "False" }
            ))
            // The repository, because the notebooks show pictures of the pages; it opens on the notebooks.
            .arg(format!("--ServerApp.root_dir={}", root.display()))
            .arg("--LabApp.default_url=/lab/tree/notebooks")
            .arg("--MappingKernelManager.default_kernel_name=kindling")
            .arg("--KernelSpecManager.ensure_native_kernel=False")
            .args(kindling_kernel::KernelKind::all().map(|crates| {
                let name = crates.kernel();
                format!("--KernelSpecManager.allowed_kernelspecs={name}")
            }))
            // A kernel that is prepared when its notebook is first opened takes longer than Jupyter's minute.
            .arg("--MappingKernelManager.kernel_info_timeout=3600")
            .args([
                "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ])
            .env("JUPYTER_PATH", home.jupyter())
            .env("JUPYTER_CONFIG_DIR", own.join("config"))
            .env("JUPYTER_DATA_DIR", own.join("data"))
            .env("JUPYTER_RUNTIME_DIR", own.join("runtime"))
            .env("JUPYTERLAB_SETTINGS_DIR", own.join("settings"))
            .env("JUPYTERLAB_WORKSPACES_DIR", own.join("workspaces"))
            .env("IPYTHONDIR", own.join("ipython"))
            .env("JUPYTER_PREFER_ENV_PATH", "0")
            .current_dir(root.join("notebooks"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        #[cfg(unix)]
        {
            if rustix::process::geteuid().is_root() {
                // In a container; the server listens on loopback and asks for a token all the same.
                command.arg("--allow-root");
            }
            command.process_group(0);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        Ok(Self { child })
    }

    /// Ends JupyterLab and its kernels.
    pub async fn end(&mut self) {
        #[cfg(unix)]
        if let Some(process) = self
            .child
            .id()
            .and_then(|process| i32::try_from(process).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            // Asked so, Jupyter ends its kernels, which are in process groups of their own.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
            if tokio::time::timeout(GRACE, self.child.wait()).await.is_ok() {
                return;
            }
        }
        let _ = self.child.kill().await;
    }
}

async fn told_to_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result?,
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Installs JupyterLab into the home, once; returns the Python that has it.
pub fn install(home: &Home) -> Result<PathBuf> {
    let folder = home.python();
    let python = if cfg!(windows) {
        folder.join("Scripts/python.exe")
    } else {
        folder.join("bin/python")
    };
    let stamp = folder.join("installed");
    let wanted = PACKAGES.join("\n");
    if python.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    let system = find_python()?;
    let _ = std::fs::remove_file(&stamp);
    if !python.is_file() {
        let made = python_command(&system)
            .args(["-m", "venv"])
            .arg(&folder)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {system}"))?;
        if !made.status.success() {
            // A half-made environment would be taken for a whole one next time.
            let _ = std::fs::remove_dir_all(&folder);
            bail!(
                "`{system} -m venv` failed (on Debian and Ubuntu it needs the package python3-venv); the book and its Run \
                 buttons work without it: {}",
                last_lines(&made)
            );
        }
    }
    let progress = Progress::new(0, "Installing JupyterLab", "packages");
    progress.set(PACKAGES.len() as u64);
    let installed = python_command(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
        ])
        .args(PACKAGES)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    if !installed.status.success() {
        progress.finish("");
        bail!(
            "JupyterLab cannot be installed; is there a network? The book and its Run buttons work without it: {}",
            last_lines(&installed)
        );
    }
    std::fs::write(&stamp, wanted)?;
    progress.finish("Installed JupyterLab");
    Ok(python)
}

/// What a learner's own environment may say about where Python's packages are.
const ELSEWHERE: [&str; 11] = [
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_BREAK_SYSTEM_PACKAGES",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "VIRTUAL_ENV",
];

/// A Python that installs and finds packages in its own environment, whatever the learner's says.
fn python_command(python: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(python);
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    // Nor what pip's configuration files say: a network's own mirror stays, because it is named by others.
    command.env("PIP_USER", "0").env("PYTHONNOUSERSITE", "1");
    command
}

fn last_lines(output: &std::process::Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(4)..].join("\n")
}

/// A Python that JupyterLab runs on.
fn find_python() -> Result<String> {
    for name in ["python3", "python"] {
        let code = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 1)";
        let found = python_command(name)
            .args(["-c", code])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if found.is_ok_and(|status| status.success()) {
            return Ok(name.to_owned());
        }
    }
    bail!(
        "JupyterLab needs Python 3.10 or later, and no `python3` here is; install it from https://www.python.org or your \
         system's packages. The book and its Run buttons work without it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_go_into_the_environment_of_the_course() {
        let command = python_command("python3");
        let set: Vec<_> = command.get_envs().collect();
        for name in ["PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH"] {
            assert!(set.contains(&(name.as_ref(), None)), "{name}");
        }
        assert!(set.contains(&("PIP_USER".as_ref(), Some("0".as_ref()))));
    }
}
