//! Makes the home ready: the pinned kernel, the compiled crates, the kernelspec. Done once, then kept.

use crate::cell::PRELUDE;
use crate::report::{Doing, Parts, Report};
use crate::workspace::{self, Units};
use crate::{Home, KernelKind, Session, shared, sources};
use anyhow::{Context, Result, anyhow, bail};
use data_encoding::HEXLOWER;
use kindling_cargo::Count;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of evcxr_jupyter that the course is tested with.
pub const EVCXR_VERSION: &str = "0.22.0";

/// Run when a kernel starts: it makes evcxr compile with the crates, and infer one type through them, before
/// a learner waits for it. It must not print: evcxr would wait for a reader that is not there yet.
const WARM: &str = "let kindling_warm = candle_core::Tensor::new(&[1f32], &candle_core::Device::Cpu)?; drop(kindling_warm);";

/// Whether everything is in place for the sources as they are now, for pages that ask for no crate of their own.
pub fn is_prepared(home: &Home) -> bool {
    is_prepared_for(home, KernelKind::COURSE)
}

/// Whether everything is in place for the sources as they are now.
pub fn is_prepared_for(home: &Home, crates: KernelKind) -> bool {
    let stamp = std::fs::read_to_string(stamp_file(home, crates)).unwrap_or_default();
    home.evcxr().is_file() && stamp_of(home, crates).is_ok_and(|expected| expected == stamp)
}

/// Prepares these kernels, and tells how far it is; what is in place already is kept. `course` is the program that Jupyter
/// will start.
///
/// A kernel with more crates starts from what was compiled for the one that every page can use.
pub fn prepare_all(
    home: &Home,
    course: &Path,
    kernels: &[KernelKind],
    tell: &mut dyn FnMut(&Report),
) -> Result<()> {
    home.refuse_unfit()?;
    let mut kernels = kernels.to_vec();
    kernels.push(KernelKind::COURSE);
    kernels.sort();
    kernels.dedup();
    let mut parts = Parts::new(missing(home, &kernels), tell);
    kernels
        .iter()
        .try_for_each(|crates| prepare_one(home, course, *crates, &mut parts))
}

/// The parts that are not in place.
fn missing(home: &Home, kernels: &[KernelKind]) -> Vec<(Doing, KernelKind)> {
    let mut parts = Vec::new();
    if !evcxr_is_installed(home) {
        parts.push((Doing::Kernel, KernelKind::COURSE));
    }
    for crates in kernels
        .iter()
        .filter(|crates| !is_prepared_for(home, **crates))
    {
        parts.extend([(Doing::KernelKind, *crates), (Doing::Cell, *crates)]);
    }
    parts
}

fn prepare_one(home: &Home, course: &Path, crates: KernelKind, parts: &mut Parts) -> Result<()> {
    home.create()?;
    let _lock = lock(home, parts)?;
    install_course(home, course)?;
    write_kernelspec(home, crates)?;
    if is_prepared_for(home, crates) {
        return Ok(());
    }
    let library = sources::standard_library().map_err(|message| anyhow!(message))?;
    if crates == KernelKind::COURSE {
        sources::slim(&library, &home.library())?;
    }
    // Before the minutes of compiling: a file that is saved meanwhile must not count as compiled.
    let stamp = stamp_of(home, crates)?;
    install_evcxr(home, parts)?;
    write_configuration(home, crates)?;
    parts.begin(Doing::KernelKind, crates);
    compile_crates(home, crates, parts)?;
    std::fs::write(stamp_file(home, crates), stamp)?;
    parts.begin(Doing::Cell, crates);
    if let Err(error) = try_one_cell(home, crates) {
        let _ = std::fs::remove_file(stamp_file(home, crates));
        return Err(error.context(format!(
            "the new kernel cannot run a cell (sources: {})",
            library.display()
        )));
    }
    Ok(())
}

/// Lets Jupyter know these kernels, also those that are not prepared yet: a notebook names its own, and that says what to do.
pub fn install_specifications(home: &Home, course: &Path, kernels: &[KernelKind]) -> Result<()> {
    home.refuse_unfit()?;
    std::fs::create_dir_all(home.root())
        .with_context(|| format!("cannot create {}", home.root().display()))?;
    install_course(home, course)?;
    kernels
        .iter()
        .try_for_each(|crates| write_kernelspec(home, *crates))
}

fn stamp_file(home: &Home, crates: KernelKind) -> PathBuf {
    home.root().join(format!("prepared{}", crates.suffix()))
}

/// What the compiled crates depend on: compiler, kernel, locked versions and the sources of our own crates.
fn stamp_of(home: &Home, crates: KernelKind) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(EVCXR_VERSION);
    hash.update(workspace::rustc_version()?);
    hash.update(PRELUDE);
    hash.update(WARM);
    hash.update("layout 4");
    hash.update(home.repository().display().to_string());
    let root = home.repository();
    let mut files = vec![
        root.join("Cargo.toml"),
        root.join("Cargo.lock"),
        root.join("data/datasets.toml"),
    ];
    for folder in crates.sources() {
        let folder = root.join("crates").join(folder);
        files.push(folder.join("Cargo.toml"));
        collect(&folder.join("src"), &mut files)?;
    }
    files.sort();
    for file in files {
        hash.update(
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?,
        );
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?
        } else {
            files.push(path)
        }
    }
    Ok(())
}

/// One preparation at a time, also over processes.
fn lock(home: &Home, parts: &mut Parts) -> Result<std::fs::File> {
    let path = home.root().join("lock");
    let file =
        std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
        parts.wait();
    }
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Copies `course` into the home, where cargo does not rebuild it under Jupyter's feet.
fn install_course(home: &Home, course: &Path) -> Result<()> {
    let target = home.course();
    if course == target || std::fs::read(course).ok() == std::fs::read(&target).ok() {
        return Ok(());
    }
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = target.with_extension("part");
    std::fs::copy(course, &unfinished)
        .with_context(|| format!("cannot copy {}", course.display()))?;
    std::fs::rename(&unfinished, &target)?;
    Ok(())
}

fn write_kernelspec(home: &Home, crates: KernelKind) -> Result<()> {
    let (name, shown) = kindling_pages::kernel_names(crates.extra());
    let folder = home.jupyter().join("kernels").join(name);
    std::fs::create_dir_all(&folder)?;
    let course = home.course().display().to_string();
    let mut command = vec![
        &course,
        "kernel",
        "front",
        "--connection-file",
        "{connection_file}",
    ];
    if let Some(extra) = crates.extra() {
        command.extend(["--crates", extra]);
    }
    let specification = json!({
        "argv": command,
        "display_name": shown,
        "language": "rust",
        "interrupt_mode": "message",
        "env": { "KINDLING_HOME": home.root(), "KINDLING_REPOSITORY": home.repository() },
    });
    std::fs::write(
        folder.join("kernel.json"),
        serde_json::to_string_pretty(&specification)?,
    )?;
    Ok(())
}

fn evcxr_is_installed(home: &Home) -> bool {
    let list = home.root().join("kernel/.crates.toml");
    let installed = std::fs::read_to_string(list).unwrap_or_default();
    installed.contains(&format!("\"evcxr_jupyter {EVCXR_VERSION} ")) && home.evcxr().is_file()
}

fn install_evcxr(home: &Home, parts: &mut Parts) -> Result<()> {
    if evcxr_is_installed(home) {
        return Ok(());
    }
    parts.begin(Doing::Kernel, KernelKind::COURSE);
    let folder = home.root().join("kernel");
    let mut command = cargo();
    command
        .args([
            "install",
            "evcxr_jupyter",
            "--locked",
            "--version",
            EVCXR_VERSION,
            "--root",
        ])
        .arg(&folder);
    command
        .arg("--target-dir")
        .arg(folder.join("target"))
        // Half of the preparation is rust-analyzer's crates; a cell waits for rustc as well as for them. `cargo course bench
        // kernel` shows what a cell waits for.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    let what = "Compiling the notebook kernel (evcxr_jupyter)";
    follow(command, what, 0, &mut |count, _| parts.count(count))?;
    let _ = std::fs::remove_dir_all(folder.join("target"));
    Ok(())
}

/// Tells evcxr which crates a kernel starts with.
///
/// evcxr has a place for them, `[dependencies]`, but adds those only after it has loaded the project without them and
/// compiled a first cell: everything is done twice. What it copies into its manifest from the start is the optimisation
/// level, so the crates follow that; the rest of evcxr's own profile then falls into a table that cargo ignores.
fn write_configuration(home: &Home, crates: KernelKind) -> Result<()> {
    std::fs::create_dir_all(home.config(crates))?;
    let text = format!(
        "[evcxr]\noffline_mode = true\nprelude = '''{}\n{PRELUDE}\n{WARM}'''\nopt_level = '''\n{}'''\n",
        shared::NAMED,
        level_and_crates(crates)
    );
    std::fs::write(home.config(crates).join("evcxr.toml"), text)?;
    Ok(())
}

fn level_and_crates(crates: KernelKind) -> String {
    format!(
        "{}\n\n[target.'cfg(all())'.dependencies]\n{}\n[package.metadata.evcxr]",
        workspace::CELLS_LEVEL,
        workspace::requirements(crates)
    )
}

/// The version of a crate that the course is locked to.
pub fn locked_version(home: &Home, name: &str) -> Result<String> {
    let lock = std::fs::read_to_string(home.repository().join("Cargo.lock"))
        .context("cannot read Cargo.lock")?;
    let after = lock
        .split(&format!("name = \"{name}\"\nversion = \""))
        .nth(1);
    let version = after.and_then(|text| text.split('"').next());
    version
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("Cargo.lock does not list {name}; run `cargo update --workspace`"))
}

/// Compiles the crates exactly as evcxr will, so that it finds nothing left to do.
///
/// First in the course's own workspace and target folder, where tests and commands find them as well; then, in the template, the
/// little that only cells need. The template is a workspace of its own (see [`workspace`]): in `cells` evcxr works, and
/// `preload` asks for the same crates so that they stay in `Cargo.lock` in the course's own versions whatever evcxr writes.
fn compile_crates(home: &Home, crates: KernelKind, parts: &mut Parts) -> Result<()> {
    let target = workspace::target_folder(home.repository())?;
    let mut command = compiler(home.repository(), &target)?;
    command.args(["--package", "kindling"]);
    command.args(crates.extra().iter().flat_map(|extra| ["--package", extra]));
    let what = match crates.extra() {
        None => "Compiling Candle and the course's crate for the kernel".to_owned(),
        Some(extra) => format!("Compiling {extra} for the pages that use it"),
    };
    let folder = home.template(crates);
    workspace::write(home, crates)?;
    let total = package_count(&folder)?;
    let mut units = Units::default();
    follow(command, &what, total, &mut |count, line| {
        parts.count(count);
        if let Ok(message) = serde_json::from_str::<Value>(line) {
            units.note(&message);
        }
    })?;
    let cells = folder.join("cells/target");
    units.copy(&target, &cells)?;
    let mut command = compiler(&folder, &cells)?;
    command.args(["--package", "preload"]);
    // Seconds long: not worth a count of its own.
    follow(command, "Linking them for cells", total, &mut |_, _| {})
}

/// A build as evcxr does it, in a workspace and a target folder.
fn compiler(workspace: &Path, target: &Path) -> Result<Command> {
    let mut command = cargo();
    command
        .args(["build", "--message-format=json"])
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_BUILD_BUILD_DIR", target);
    workspace::compile_as_cells(&mut command)?;
    Ok(command)
}

fn package_count(folder: &Path) -> Result<u64> {
    let output = cargo()
        .args(["metadata", "--format-version", "1"])
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        bail!(network_advice(
            "cargo cannot resolve the kernel's crates",
            &String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(metadata["packages"]
        .as_array()
        .map_or(1, |packages| packages.len() as u64))
}

fn cargo() -> Command {
    // Not `$CARGO`: inside `cargo course` it names one toolchain's binary, and a notebook uses the default.
    let mut command = Command::new("cargo");
    for name in [
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WRAPPER",
    ] {
        command.env_remove(name);
    }
    kindling_cargo::without_package(&mut command);
    command
}

/// Runs cargo; its last words become the error. `expected` is how many steps there are where cargo itself does not say so; `each`
/// sees every line, and how far it is.
fn follow(
    command: Command,
    what: &str,
    expected: u64,
    each: &mut dyn FnMut(&Count, &str),
) -> Result<()> {
    let ended = kindling_cargo::run(command, expected, |count, line| {
        note_compiled(line, false);
        each(count, line);
    })
    .context("cannot run cargo; install Rust with rustup")?;
    if !ended.status.success() {
        bail!(network_advice(
            &format!("{what} failed ({})", ended.status),
            &ended.tail(12)
        ));
    }
    Ok(())
}

/// Notes a crate that cargo has just compiled, or only checked, in the file that `KINDLING_COMPILED` names: who counts what was
/// compiled does not see cargo's messages, of which `message` is one.
pub fn note_compiled(message: &str, checked: bool) {
    let file = std::env::var_os("KINDLING_COMPILED").filter(|file| !file.is_empty());
    if let (Some(file), Some(name)) = (file, compiled(message)) {
        let word = if checked { "checked" } else { "compiled" };
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(file);
        // Only a count would be wrong.
        let _ = file.and_then(|mut file| file.write_all(format!("{word} {name}\n").as_bytes()));
    }
}

/// The crate whose library the message says is newly made.
fn compiled(message: &str) -> Option<String> {
    let message: Value = message
        .starts_with("{\"reason\":\"compiler-artifact\"")
        .then(|| serde_json::from_str(message).ok())??;
    let is_library = message["target"]["kind"][0] == "lib";
    let name = message["target"]["name"].as_str()?.replace('_', "-");
    (is_library && message["fresh"] == false).then_some(name)
}

/// Says what to do when the reason is the network.
fn network_advice(what: &str, output: &str) -> String {
    let network = [
        "failed to download",
        "Could not resolve",
        "Could not connect",
        "failed to get",
        "offline",
        "network",
    ];
    if network.iter().any(|sign| output.contains(sign)) {
        format!(
            "{what}: there seems to be no network. The book can be read without it; run the command again when \
             there is one, and it goes on where it stopped.\n{output}"
        )
    } else {
        format!("{what}:\n{output}")
    }
}

/// Starts the kernel once: it warms the caches of the disk and shows that a cell runs.
fn try_one_cell(home: &Home, crates: KernelKind) -> Result<()> {
    let home = home.clone();
    let check = async move {
        let mut session = Session::start_with(&home, crates).await?;
        let mut seen = String::new();
        let code = "println!(\"{}\", candle_core::Tensor::ones(3, candle_core::DType::F32, &candle_core::Device::Cpu)?.sum_all()?);";
        session
            .execute(code, &mut |output| seen.push_str(&format!("{output:?}")))
            .await?;
        session.shutdown().await;
        if seen.contains('3') {
            Ok(())
        } else {
            Err(anyhow!("expected a printed 3, found {seen}"))
        }
    };
    // The caller may or may not be inside a runtime: a thread of its own is outside in any case.
    let result = std::thread::spawn(move || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(check)
    });
    result
        .join()
        .map_err(|_| anyhow!("the check of the kernel panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_newly_made_is_named() {
        let message = |kind: &str, fresh: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"candle_core"}},"fresh":{fresh}}}"#
            )
        };
        let name = compiled(&message("lib", false));
        assert_eq!(name.as_deref(), Some("candle-core"));
        assert_eq!(compiled(&message("lib", true)), None);
        assert_eq!(compiled(&message("custom-build", false)), None);
        assert_eq!(compiled("   Compiling candle-core v0.11.1"), None);
    }

    #[test]
    fn what_is_missing_is_known_before_it_is_compiled() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"), folder.path());
        let tables = KernelKind::with(Some("kindling-tables")).unwrap();
        let parts = missing(&home, &[KernelKind::COURSE, tables]);
        assert_eq!(
            parts,
            [
                (Doing::Kernel, KernelKind::COURSE),
                (Doing::KernelKind, KernelKind::COURSE),
                (Doing::Cell, KernelKind::COURSE),
                (Doing::KernelKind, tables),
                (Doing::Cell, tables),
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_cargo_that_fails_is_told_and_its_words_are_the_error() {
        let mut told = Vec::new();
        let mut tell = |report: &Report| told.push(report.text());
        let mut parts = Parts::new(vec![(Doing::Kernel, KernelKind::COURSE)], &mut tell);
        parts.begin(Doing::Kernel, KernelKind::COURSE);
        let mut command = Command::new("sh");
        let script = "printf '    Building [=> ] 3/12: x\\r' >&2; echo 'error: linker `cc` not found' >&2; exit 101";
        command.args(["-c", script]);
        let error = follow(command, "Compiling it", 0, &mut |count, _| {
            parts.count(count)
        })
        .unwrap_err();
        assert!(
            error.to_string().contains("linker `cc` not found"),
            "{error}"
        );
        assert!(
            told.iter().any(|text| text.ends_with(", 3 of 12")),
            "{told:?}"
        );
    }
}
