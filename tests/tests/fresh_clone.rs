//! Both commands as a new reader types them, in a fresh clone. Minutes long: `cargo course test --full` runs it.

use anyhow::{Context, Result, bail};
use kindling_tests::root;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Reading may start this long after the command, with everything still to be compiled.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
#[ignore = "compiles everything: run it with `cargo course test --full`"]
fn the_two_commands_work_in_a_fresh_clone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clone = folder.path().join("kindling");
    let status = Command::new("git")
        .args(["clone", "--quiet"])
        .arg(root())
        .arg(&clone)
        .status()?;
    assert!(status.success());

    let start = Instant::now();
    let url = up(&clone)?;
    let cold = start.elapsed();
    println!(
        "cold: the book is open after {:.0} s ({url})",
        cold.as_secs_f64()
    );
    let start = Instant::now();
    up(&clone)?;
    println!(
        "warm: the book is open after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert!(cold < LIMIT, "the book took {cold:?} to open");

    let arguments = [
        "course", "test", "--only", "format", "--only", "check", "--only", "book",
    ];
    let output = cargo(&clone)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("3 passed, 0 failed"), "{text}");
    let status = Command::new("git")
        .args(["status", "--porcelain"])
        .current_dir(&clone)
        .output()?;
    assert!(
        status.stdout.is_empty(),
        "changed: {}",
        String::from_utf8_lossy(&status.stdout)
    );
    Ok(())
}

fn cargo(clone: &Path) -> Command {
    let mut command = Command::new("cargo");
    for name in [
        "CARGO_TARGET_DIR",
        "KINDLING_HOME",
        "KINDLING_REPOSITORY",
        "CARGO_MANIFEST_DIR",
    ] {
        command.env_remove(name);
    }
    command.current_dir(clone);
    command
}

/// Runs `cargo course up` until a page of the book was read over its address.
fn up(clone: &Path) -> Result<String> {
    let mut command = cargo(clone);
    command.args(["course", "up", "--no-open", "--no-kernel", "--port", "0"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("no output")?;
    let line = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("http://"));
    let page = line
        .as_deref()
        .and_then(|line| line.split("http://").nth(1))
        .map(read_page);
    #[cfg(unix)]
    if let Some(process) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        rustix::process::kill_process(process, rustix::process::Signal::INT)?;
    }
    child.wait()?;
    match (line, page) {
        (Some(line), Some(page))
            if page
                .as_ref()
                .is_ok_and(|page| page.contains("Backpropagation")) =>
        {
            Ok(line)
        }
        (line, page) => bail!("the book did not open: {line:?} {page:?}"),
    }
}

/// A page, as a browser gets it that was opened at `address`: `127.0.0.1:3400/?token=…`.
fn read_page(address: &str) -> Result<String> {
    let (host, token) = address
        .trim()
        .split_once("/?token=")
        .with_context(|| format!("no token in {address}"))?;
    let port = host.rsplit(':').next().unwrap_or_default();
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /algorithms/backpropagation.html HTTP/1.1\r\nHost: {host}\r\nCookie: kindling-{port}={token}\r\nConnection: close\r\n\r\n"
    )?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}
