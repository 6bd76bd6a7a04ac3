//! What is written where, seen from outside: the test runs itself as a child process.
#![allow(clippy::unwrap_used)]

use std::{
    process::{Command, Output},
    thread::sleep,
    time::Duration,
};

use kindling_progress::{Progress, stop_requested};

/// Not a test of its own: the work that the other tests run in a child process.
#[test]
fn child() {
    if std::env::var_os("KINDLING_PROGRESS_TEST_CHILD").is_none() {
        return;
    }
    let progress = Progress::new(1_000, "counting", "steps");
    for step in 1..=1_000 {
        progress.set(step);
        if step % 250 == 0 {
            sleep(Duration::from_millis(120));
        }
    }
    progress.message("nearly there");
    progress.finish("counted to 1000");
    let dropped = Progress::new(3, "dropped", "steps");
    dropped.set(1);
}

fn run_child(kernel: bool) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env("KINDLING_PROGRESS_TEST_CHILD", "1")
        .env_remove("KINDLING_KERNEL");
    if kernel {
        command.env("KINDLING_KERNEL", "1");
    }
    command.output().unwrap()
}

#[test]
fn a_notebook_gets_few_lines_that_replace_each_other() {
    let output = run_child(true);
    let text = String::from_utf8(output.stdout).unwrap();
    let updates: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("\rcounting"))
        .collect();
    assert!((3..=7).contains(&updates.len()), "{updates:?}");
    assert!(text.contains("\r \ncounted to 1000\n"), "{text:?}");
    let (_, end) = text.split_once("\rdropped").unwrap();
    assert!(end.contains("\n\r \n"), "an error erases it: {text:?}");
}

#[test]
fn a_pipe_gets_one_line_at_the_end() {
    let output = run_child(false);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "counted to 1000\n"
    );
    assert!(
        !String::from_utf8(output.stdout)
            .unwrap()
            .contains("counting")
    );
}

#[test]
fn a_stop_is_requested_by_a_file() {
    if let Some(expected) = std::env::var_os("KINDLING_PROGRESS_TEST_STOP") {
        assert_eq!(stop_requested(), expected == "yes");
        return;
    }
    assert!(!stop_requested());
    let here = std::env::current_exe().unwrap();
    for (file, expected) in [(here.clone(), "yes"), (here.with_extension("none"), "no")] {
        let mut child = Command::new(&here);
        child.args(["--exact", "a_stop_is_requested_by_a_file"]);
        let status = child
            .env("KINDLING_STOP_FILE", file)
            .env("KINDLING_PROGRESS_TEST_STOP", expected)
            .status();
        assert!(status.unwrap().success());
    }
}
