//! Where MNIST comes from when nothing is at hand: the test runs itself as a child process with another environment.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use kindling::data::{Mnist, Source};

/// Not a test of its own: what the child process does.
#[test]
fn child() {
    if std::env::var_os("KINDLING_MNIST_TEST").is_some() {
        let mnist = Mnist::load().unwrap();
        assert_eq!(mnist.source, Source::Builtin);
        assert_eq!(mnist.train.images.dims(), [6_000, 28, 28]);
        assert_eq!(mnist.test.labels.dims(), [1_000]);
    }
}

fn load_with(cache: &Path) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env("KINDLING_MNIST_TEST", "1");
    command
        .env("KINDLING_CACHE", cache)
        .env("KINDLING_DOWNLOAD_BASE", "http://127.0.0.1:9");
    command
        .env_remove("KINDLING_MIRROR")
        .env_remove("KINDLING_COURSE")
        .output()
        .unwrap()
}

#[test]
fn without_data_the_built_in_generator_is_announced() {
    let cache = tempfile::tempdir().unwrap();
    let output = load_with(cache.path());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cargo course data fetch mnist"), "{text}");
    assert!(
        text.contains("Using built-in pictures instead: 6000 + 1000 digits"),
        "{text}"
    );
}

#[test]
fn a_damaged_file_is_named_with_both_hashes() {
    let cache = tempfile::tempdir().unwrap();
    fs::create_dir(cache.path().join("mnist")).unwrap();
    let file = cache.path().join("mnist/train-images-idx3-ubyte.gz");
    fs::write(&file, b"not a gzip file").unwrap();
    let text = String::from_utf8(load_with(cache.path()).stderr).unwrap();
    assert!(
        text.contains(&format!("{}: damaged", file.display())),
        "{text}"
    );
    let expected = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db";
    assert!(
        text.contains(&format!("SHA-256 {expected}, found ")),
        "{text}"
    );
}
