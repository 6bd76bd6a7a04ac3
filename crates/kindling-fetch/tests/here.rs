//! Files that are on this machine: in the cache or in a mirror, whole or damaged.
#![allow(clippy::unwrap_used)]

mod sample;

use kindling_fetch::{Error, Source, Store};
use sample::{Sample, gzip};

#[test]
fn the_cache_comes_first_then_the_mirror() {
    let sample = Sample::new(10_000);
    let (cache, mirror) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::at(cache.path()).with_mirror(mirror.path());
    assert!(
        store
            .look(&sample.dataset, sample.file())
            .unwrap()
            .is_none()
    );

    sample.put(mirror.path(), &sample.packed);
    let found = store.read(&sample.dataset, sample.file()).unwrap();
    assert_eq!(
        (found.source, found.bytes),
        (Source::Mirror, sample.content.clone())
    );
    assert!(
        !store.path(&sample.dataset, sample.file()).exists(),
        "a mirror is read in place"
    );

    sample.put(cache.path(), &sample.packed);
    assert_eq!(
        store.read(&sample.dataset, sample.file()).unwrap().source,
        Source::Cache
    );
}

#[test]
fn a_damaged_cache_gives_way_to_the_mirror_and_is_named_once() {
    let sample = Sample::new(10_000);
    let (cache, mirror) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample.put(cache.path(), &gzip(b"something else"));
    sample.put(mirror.path(), &sample.packed);
    let store = Store::at(cache.path()).with_mirror(mirror.path());

    let found = store.read(&sample.dataset, sample.file()).unwrap();
    assert_eq!(found.source, Source::Mirror);
    let path = cache.path().join("sample/data.gz").display().to_string();
    let note = found.notes.join("\n");
    // The SHA-256 of "something else", from sha256sum.
    let other = "f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8";
    assert!(
        note.contains(&path)
            && note.contains(sample.file().sha256.as_deref().unwrap())
            && note.contains(&format!("found {other}")),
        "{note}"
    );
    assert!(
        store
            .read(&sample.dataset, sample.file())
            .unwrap()
            .notes
            .is_empty()
    );
}

#[test]
fn a_truncated_gzip_is_damaged() {
    let sample = Sample::new(10_000);
    for length in [0, 1, 9, sample.packed.len() / 2, sample.packed.len() - 1] {
        let problem = sample.problem(&sample.packed[..length]);
        assert!(
            problem.contains("expected 10000 bytes with SHA-256"),
            "{length}: {problem}"
        );
    }
}

#[test]
fn every_flipped_bit_that_matters_is_found() {
    let sample = Sample::new(300);
    for byte in 0..sample.packed.len() {
        let mut packed = sample.packed.clone();
        packed[byte] ^= 1 << (byte % 8);
        let folder = tempfile::tempdir().unwrap();
        sample.put(folder.path(), &packed);
        // Bits of the header, such as the time, change nothing: then the content must be the same.
        match Store::at(folder.path()).look(&sample.dataset, sample.file()) {
            Ok(found) => assert!(
                byte < 10 && found.unwrap().bytes == sample.content,
                "byte {byte}"
            ),
            Err(error) => assert!(
                matches!(error, Error::Damaged { .. }),
                "byte {byte}: {error}"
            ),
        }
    }
}

#[test]
fn a_small_file_that_unpacks_to_a_huge_one_is_stopped_at_the_size_in_the_manifest() {
    let sample = Sample::new(10_000);
    let bomb = gzip(&vec![0; 20_000_000]);
    assert!(bomb.len() < 40_000);
    assert!(sample.problem(&bomb).contains("longer than it should be"));
}

#[test]
fn without_any_place_the_error_says_what_to_do() {
    let sample = Sample::new(10);
    let (cache, mirror) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::at(cache.path())
        .with_mirror(mirror.path())
        .with_download_base("http://127.0.0.1:9");
    let error = store.read(&sample.dataset, sample.file()).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    for part in [
        "data.gz is not here",
        "cargo course data fetch sample",
        "KINDLING_MIRROR",
        &mirror.path().display().to_string(),
    ] {
        assert!(text.contains(part), "{part:?} missing in: {text}");
    }
}

/// Stands for the `course` command: a script that does what it would do.
#[cfg(all(unix, not(feature = "download")))]
fn course(folder: &std::path::Path, script: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("course");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
#[cfg(all(unix, not(feature = "download")))]
fn without_a_network_stack_the_course_command_downloads() {
    let sample = Sample::new(1_000);
    let (cache, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample.put(elsewhere.path(), &sample.packed);
    let script = format!(
        "[ \"$*\" = \"data fetch sample\" ] && cp -r '{}/sample' \"$KINDLING_CACHE\"",
        elsewhere.path().display()
    );
    let store = Store::at(cache.path()).with_course(course(elsewhere.path(), &script));
    let found = store.read(&sample.dataset, sample.file()).unwrap();
    assert_eq!(
        (found.source, found.bytes),
        (Source::Download, sample.content.clone())
    );

    let empty = tempfile::tempdir().unwrap();
    let store = Store::at(empty.path()).with_course(course(elsewhere.path(), "exit 3"));
    let error = store
        .read(&sample.dataset, sample.file())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`data fetch sample` ended with exit status: 3"),
        "{error}"
    );
}

#[test]
fn a_store_that_may_not_download_asks_nobody() {
    let sample = Sample::new(100);
    let cache = tempfile::tempdir().unwrap();
    // Whoever were asked would say that there is no such command, or no such server.
    let store = Store::at(cache.path())
        .with_course("nowhere/course")
        .with_download_base("http://127.0.0.1:9")
        .without_download();
    let error = store.read(&sample.dataset, sample.file()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("download: this program was told not to"),
        "{error}"
    );
    assert!(
        !error.contains("nowhere") && !error.contains("127.0.0.1"),
        "{error}"
    );
}
