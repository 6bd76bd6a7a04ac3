//! The command line: what it says to wrong input, and what it leaves behind.

use anyhow::Result;
use kindling_tests::{Up, course, root};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str], folder: &Path, environment: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new(course()?);
    command
        .args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied());
    command
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("KINDLING_REPOSITORY");
    Ok(command.output()?)
}

/// The one message of a command that must fail.
fn error(arguments: &[&str], folder: &Path, environment: &[(&str, &str)]) -> Result<String> {
    let output = run(arguments, folder, environment)?;
    assert!(!output.status.success(), "{arguments:?} must fail");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let message = error(
        &["up", "--no-open", "--no-kernel", "--port", &port],
        &root(),
        &[],
    )?;
    assert!(
        message.contains(&format!("port {port}")) && message.contains("--port 0"),
        "{message}"
    );
    Ok(())
}

#[test]
fn outside_of_the_course_it_says_so() -> Result<()> {
    let elsewhere = tempfile::tempdir()?;
    for arguments in [
        ["check"].as_slice(),
        &["book"],
        &["up", "--no-open"],
        &["notebooks"],
    ] {
        let message = error(arguments, elsewhere.path(), &[])?;
        assert!(
            message.starts_with("error: no book/book.toml in"),
            "{arguments:?}: {message}"
        );
        assert_eq!(message.lines().count(), 1, "one message: {message}");
    }
    Ok(())
}

#[test]
fn wrong_words_are_answered_with_the_right_ones() -> Result<()> {
    assert!(error(&["upp"], &root(), &[])?.contains("up"));
    assert!(error(&["up", "--port", "many"], &root(), &[])?.contains("'many'"));
    let message = error(&["notebooks", "algorithms/nothing"], &root(), &[])?;
    assert!(
        message.contains("algorithms/nothing") && message.contains("algorithms/backpropagation"),
        "{message}"
    );
    let message = error(&["test", "--only", "nothing"], &root(), &[])?;
    assert!(message.contains("there is no stage `nothing`"), "{message}");
    let message = error(&["data", "fetch", "nothing"], &root(), &[])?;
    assert!(
        message.contains("nothing") && message.contains("mnist"),
        "{message}"
    );
    Ok(())
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() -> Result<()> {
    let home = tempfile::tempdir()?; // of a kernel that is not prepared
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["data", "list"], 0),
        (&["data", "--help"], 0),
        (&["kernel", "status"], 1),
        (&["check", "--help"], 0),
        (&["test", "--list"], 141),
    ] {
        let mut command = Command::new(course()?);
        command.args(arguments).current_dir(root());
        command.env("KINDLING_HOME", home.path());
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let output = command.stdout(writer).output()?;
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        let quiet = message.is_empty() || (code == 1 && message.starts_with("error: the kernel"));
        assert!(quiet, "{arguments:?}: {message}");
        // Where nobody reads either of them, there is only the code.
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let status = command
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .status()?;
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
    Ok(())
}

/// Where there is a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_in_one_line() -> Result<()> {
    let full = Path::new("/dev/full");
    let output = Command::new(course()?)
        .args(["data", "list"])
        .current_dir(root())
        .stdout(std::fs::OpenOptions::new().write(true).open(full)?)
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        message,
        "error: standard output: No space left on device (os error 28)\n"
    );
    Ok(())
}

#[test]
fn without_python_the_message_says_what_still_works() -> Result<()> {
    let home = tempfile::tempdir()?;
    let nothing = tempfile::tempdir()?;
    let home = home.path().display().to_string();
    let path = nothing.path().display().to_string();
    let message = error(
        &["jupyter", "--install-only"],
        &root(),
        &[("PATH", &path), ("KINDLING_HOME", &home)],
    )?;
    assert!(
        message.contains("needs Python 3") && message.contains("work without it"),
        "{message}"
    );
    Ok(())
}

#[test]
fn a_notebook_that_is_none_is_named() -> Result<()> {
    // The page's notebook lies in a copy of the repository's book, so that nothing here is touched.
    let copy = tempfile::tempdir()?;
    copy_folder(&root().join("book/src"), &copy.path().join("book/src"))?;
    std::fs::copy(
        root().join("book/book.toml"),
        copy.path().join("book/book.toml"),
    )?;
    for included in ["crates/kindling/src", "crates/kindling-ops/src"] {
        copy_folder(&root().join(included), &copy.path().join(included))?;
    }
    let notebook = copy
        .path()
        .join("notebooks/algorithms/backpropagation.ipynb");
    std::fs::create_dir_all(notebook.parent().unwrap())?;
    std::fs::write(&notebook, "{ this is not JSON")?;
    let message = error(
        &["notebooks", "--check", "algorithms/backpropagation"],
        copy.path(),
        &[],
    )?;
    assert!(
        message.contains("backpropagation.ipynb") && message.contains("not a notebook"),
        "{message}"
    );
    assert_eq!(
        std::fs::read_to_string(&notebook)?,
        "{ this is not JSON",
        "nothing is lost"
    );
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[test]
fn ctrl_c_leaves_no_process_behind() -> Result<()> {
    let mut up = Up::start(&[])?;
    // Give it the time to start what it starts: the preparation or a warm kernel.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let started = descendants(up.process());
    up.interrupt()?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let left: Vec<_> = started
        .iter()
        .filter(|(process, name)| name_of(*process).as_ref() == Some(name))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}

/// All processes below `process`, with their names.
fn descendants(process: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let tasks = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers: Vec<u32> = tasks
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect();
    let mut parents = vec![process];
    while let Some(parent) = parents.pop() {
        for number in &numbers {
            if parent_of(*number) == Some(parent)
                && let Some(name) = name_of(*number)
            {
                found.push((*number, name));
                parents.push(*number);
            }
        }
    }
    found
}

fn parent_of(process: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn name_of(process: u32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
    (!text.is_empty()).then(|| text.replace('\0', " "))
}
