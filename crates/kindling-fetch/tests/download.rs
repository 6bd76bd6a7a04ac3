//! Downloads from a server with chosen faults.
#![cfg(feature = "download")]
#![allow(clippy::unwrap_used)]

mod sample;
mod server;

use std::{fs, process::Command, thread, time::Duration};

use kindling_fetch::{Error, Found, Result, Source, Store};
use sample::{Sample, gzip};
use server::{Fault, Request, Server};

const SIZE: usize = 300_000;

struct Setting {
    sample: Sample,
    server: Server,
    cache: tempfile::TempDir,
}

impl Setting {
    fn new(fault: Fault) -> Self {
        let sample = Sample::new(SIZE);
        let server = Server::start(&[("/sample/data.gz", sample.packed.clone())], fault);
        Self {
            sample,
            server,
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn read(&self) -> Result<Found> {
        let store = Store::at(self.cache.path()).with_download_base(&self.server.base);
        store.read(&self.sample.dataset, self.sample.file())
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.server
            .requests()
            .into_iter()
            .map(|request| request.range)
            .collect()
    }

    /// The names of the files in the cache, without the lock.
    fn files(&self) -> Vec<String> {
        let folder = fs::read_dir(self.cache.path().join("sample")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "data.gz.lock").collect()
    }

    fn put_part(&self, bytes: &[u8]) {
        fs::create_dir_all(self.cache.path().join("sample")).unwrap();
        fs::write(self.cache.path().join("sample/data.gz.part"), bytes).unwrap();
    }
}

#[test]
fn a_download_is_kept() {
    let setting = Setting::new(Fault::None);
    let found = setting.read().unwrap();
    assert_eq!((found.source, found.bytes.len()), (Source::Download, SIZE));
    assert_eq!(setting.read().unwrap().source, Source::Cache);
    assert_eq!(
        setting.server.requests(),
        [Request {
            path: "/sample/data.gz".to_owned(),
            range: None
        }]
    );
    assert_eq!(setting.files(), ["data.gz"]);
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let setting = Setting::new(Fault::CutAfter(120_000));
    let found = setting.read().unwrap();
    assert_eq!(found.bytes, setting.sample.content);
    assert_eq!(
        setting.ranges(),
        [
            None,
            Some("bytes=120000-".to_owned()),
            Some("bytes=240000-".to_owned())
        ]
    );
}

#[test]
fn a_download_cut_too_often_keeps_its_part_for_the_next_time() {
    let setting = Setting::new(Fault::CutAfter(50_000));
    let error = setting.read().unwrap_err().to_string();
    assert!(error.contains("cut after 200000 bytes"), "{error}");
    assert_eq!(setting.files(), ["data.gz.part"]);
    assert_eq!(setting.read().unwrap().bytes, setting.sample.content);
    assert_eq!(setting.ranges()[4], Some("bytes=200000-".to_owned()));
    assert_eq!(setting.files(), ["data.gz"]);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let setting = Setting::new(Fault::NoRanges);
    setting.put_part(&setting.sample.packed[..1_000]);
    assert_eq!(setting.read().unwrap().bytes, setting.sample.content);
    assert_eq!(setting.ranges(), [Some("bytes=1000-".to_owned())]);
}

#[test]
fn an_answer_that_starts_elsewhere_is_not_appended() {
    let setting = Setting::new(Fault::WrongRange);
    setting.put_part(&setting.sample.packed[..1_000]);
    assert_eq!(setting.read().unwrap().bytes, setting.sample.content);
    assert_eq!(setting.ranges(), [Some("bytes=1000-".to_owned()), None]);
}

#[test]
fn a_part_of_another_file_is_dropped() {
    for part in [vec![7; 1_000], vec![7; 400_000]] {
        let setting = Setting::new(Fault::None);
        setting.put_part(&part);
        assert_eq!(setting.read().unwrap().bytes, setting.sample.content);
        assert_eq!(
            setting.ranges(),
            [Some(format!("bytes={}-", part.len())), None]
        );
        assert_eq!(setting.files(), ["data.gz"]);
    }
}

#[test]
fn a_part_that_is_complete_needs_no_request() {
    let setting = Setting::new(Fault::None);
    setting.put_part(&setting.sample.packed);
    assert_eq!(setting.read().unwrap().bytes, setting.sample.content);
    assert!(setting.server.requests().is_empty());
}

#[test]
fn a_damaged_file_in_the_cache_is_named_and_fetched_again() {
    let setting = Setting::new(Fault::None);
    let mut packed = setting.sample.packed.clone();
    packed[SIZE / 2] ^= 4;
    setting.sample.put(setting.cache.path(), &packed);
    let found = setting.read().unwrap();
    assert_eq!(
        (found.source, &found.bytes),
        (Source::Download, &setting.sample.content)
    );
    let note = found.notes.join("\n");
    for part in [
        "data.gz: damaged",
        setting.sample.file().sha256.as_deref().unwrap(),
        ", found ",
    ] {
        assert!(note.contains(part), "{part:?} missing in: {note}");
    }
    assert_eq!(setting.read().unwrap().source, Source::Cache);
}

#[test]
fn a_server_with_another_file_is_not_believed() {
    let mut setting = Setting::new(Fault::None);
    setting.server = Server::start(&[("/sample/data.gz", gzip(b"no data"))], Fault::None);
    let error = setting.read().unwrap_err().to_string();
    assert!(
        error.contains(&setting.server.base)
            && error.contains("expected 300000 bytes with SHA-256"),
        "{error}"
    );
    assert!(setting.files().is_empty(), "{:?}", setting.files());
}

#[test]
fn an_endless_answer_is_stopped() {
    let setting = Setting::new(Fault::Endless);
    let error = setting.read().unwrap_err().to_string();
    assert!(error.contains("sends more than"), "{error}");
    assert!(setting.files().is_empty());
}

#[test]
fn a_missing_file_on_the_server_is_said() {
    let mut setting = Setting::new(Fault::None);
    setting.server = Server::start(&[], Fault::None);
    let error = setting.read().unwrap_err().to_string();
    assert!(
        error.contains("404 Not Found") && error.contains("cargo course data fetch sample"),
        "{error}"
    );
}

#[test]
fn threads_that_fetch_at_once_download_once() {
    let setting = Setting::new(Fault::Slow(Duration::from_millis(300)));
    let sources: Vec<Source> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| setting.read().unwrap().source))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(setting.server.requests().len(), 1, "{sources:?}");
    assert_eq!(
        sources
            .iter()
            .filter(|source| **source == Source::Download)
            .count(),
        1,
        "{sources:?}"
    );
}

/// Not a test of its own: what each process of the next test does.
#[test]
fn child() {
    let Ok(base) = std::env::var("KINDLING_FETCH_TEST_BASE") else {
        return;
    };
    let sample = Sample::new(SIZE);
    let found = Store::from_env()
        .with_download_base(base)
        .read(&sample.dataset, sample.file())
        .unwrap();
    assert_eq!(found.bytes, sample.content);
}

#[test]
fn processes_that_fetch_at_once_download_once() {
    let setting = Setting::new(Fault::Slow(Duration::from_millis(500)));
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "child"])
            .env("KINDLING_FETCH_TEST_BASE", &setting.server.base);
        command
            .env("KINDLING_CACHE", setting.cache.path())
            .spawn()
            .unwrap()
    };
    let children = [start(), start(), start()];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(setting.server.requests().len(), 1);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing_behind() {
    let setting = Setting::new(Fault::None);
    let disk = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
        .arg(disk.path())
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        kindling_skip::skip(
            kindling_skip::Need::Root,
            "this test mounts a small tmpfs, which takes root on Linux",
        );
        return;
    }
    let store = Store::at(disk.path()).with_download_base(&setting.server.base);
    let outcome = store.read(&setting.sample.dataset, setting.sample.file());
    let left: Vec<_> = fs::read_dir(disk.path().join("sample"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let unmounted = Command::new("umount")
        .arg(disk.path())
        .status()
        .unwrap()
        .success();

    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert!(
        error.to_string().contains("no space left to write")
            && error.to_string().contains("KINDLING_CACHE"),
        "{error}"
    );
    assert_eq!(left, ["data.gz.lock"]);
    assert!(unmounted);
}
