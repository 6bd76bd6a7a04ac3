//! One file over HTTP: resumed when cut, checked before it gets its name.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    thread::sleep,
    time::Duration,
};

use kindling_progress::Progress;
use ureq::{Agent, Body, http::Response};

use crate::{DataFile, Error, Result, unpack::unpack};

/// How often a cut download is taken up again before the next address is tried.
const ATTEMPTS: u32 = 4;

/// Downloads `url` to `path` and returns the decompressed bytes.
///
/// Bytes are collected in `<path>.part`, which outlives this process, so that a cut download goes on where it stopped.
/// Only when the whole file is verified and on the disk is it renamed to `path`.
pub(crate) fn download(url: &str, path: &Path, file: &DataFile) -> Result<Vec<u8>> {
    let part = path.with_file_name(format!("{}.part", file.name));
    let was_resumed = collect(url, &part, file)?;
    let bytes = match unpack(&part, file) {
        // The start of the file may be older than the rest, or come from a host that compresses differently.
        Err(Error::Damaged { .. }) if was_resumed => {
            remove(&part);
            collect(url, &part, file)?;
            unpack(&part, file)
        }
        outcome => outcome,
    };
    let bytes = bytes.map_err(|problem| {
        remove(&part);
        Error::Download {
            url: url.to_owned(),
            problem: problem.to_string(),
        }
    })?;
    fs::rename(&part, path).map_err(|source| Error::file(path, source, file))?;
    sync_folder(path);
    Ok(bytes)
}

/// Completes the file `part`; says whether some of it was there before.
fn collect(url: &str, part: &Path, file: &DataFile) -> Result<bool> {
    let was_there = length(part) > 0;
    if was_there && unpack(part, file).is_ok() {
        return Ok(true); // All there: the last process ended between the last byte and the new name.
    }
    let progress = Progress::new(file.bytes, &file.name, "bytes");
    let mut attempt = 1;
    loop {
        let before = length(part);
        match request(url, part, file, &progress) {
            Err(Error::Download { .. }) if length(part) > before && attempt < ATTEMPTS => {
                progress.message("cut; taking it up again");
                sleep(Duration::from_millis(200) * attempt);
                attempt += 1;
            }
            Err(error) => {
                if matches!(error, Error::DiskFull { .. }) {
                    remove(part);
                }
                return Err(error);
            }
            Ok(()) => {
                progress.finish("");
                return Ok(was_there || attempt > 1);
            }
        }
    }
}

/// Asks for what is missing of `part` and appends it.
fn request(url: &str, part: &Path, file: &DataFile, progress: &Progress) -> Result<()> {
    let failed = |problem: String| Error::Download {
        url: url.to_owned(),
        problem,
    };
    if is_forbidden(url, std::env::var("KINDLING_OFFLINE").ok().as_deref()) {
        let problem =
            "KINDLING_OFFLINE is set, so nothing is asked of another machine; unset it to download";
        return Err(failed(problem.to_owned()));
    }
    let have = length(part);
    let mut request = agent().get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|error| failed(error.to_string()))?;
    let start = match response.status().as_u16() {
        200 => 0, // The server sends all of it, whether it was asked to or not.
        206 if starts_at(&response, have) => have,
        206 | 416 if have > 0 && fs::remove_file(part).is_ok() => {
            // What was here does not fit what the server has: begin again.
            return self::request(url, part, file, progress);
        }
        _ => return Err(failed(format!("the server answered {}", response.status()))),
    };
    append(response, start, part, file, progress).map_err(|problem| match problem {
        Problem::Server(problem) => failed(problem),
        Problem::Disk(source) => Error::file(part, source, file),
    })
}

/// Whether `KINDLING_OFFLINE` keeps this address from being asked; this machine's own servers may be.
fn is_forbidden(url: &str, offline: Option<&str>) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or(host);
    // What stands before an `@` is a name and a password.
    let host = host.rsplit('@').next().unwrap_or(host);
    let own = ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| {
        host == *own
            || host
                .strip_prefix(own)
                .is_some_and(|port| port.starts_with(':'))
    });
    !own && offline.is_some_and(|value| !value.is_empty() && value != "0")
}

/// What interrupted a copy from the network to the disk.
enum Problem {
    Server(String),
    Disk(std::io::Error),
}

fn append(
    response: Response<Body>,
    start: u64,
    part: &Path,
    file: &DataFile,
    progress: &Progress,
) -> std::result::Result<(), Problem> {
    let limit = 2 * file.bytes + 65_536;
    let mut out = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(part)
        .map_err(Problem::Disk)?;
    out.set_len(start).map_err(Problem::Disk)?;
    std::io::Seek::seek(&mut out, std::io::SeekFrom::Start(start)).map_err(Problem::Disk)?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 65_536];
    let mut done = start;
    loop {
        let count = body
            .read(&mut buffer)
            .map_err(|error| Problem::Server(format!("cut after {done} bytes: {error}")))?;
        if count == 0 {
            return out.sync_all().map_err(Problem::Disk);
        }
        done += count as u64;
        if done > limit {
            remove(part);
            return Err(Problem::Server(format!(
                "it sends more than {limit} bytes for a file of about {}",
                file.bytes
            )));
        }
        out.write_all(&buffer[..count]).map_err(Problem::Disk)?;
        progress.set(done);
    }
}

/// Whether a partial answer continues exactly at this byte.
fn starts_at(response: &Response<Body>, byte: u64) -> bool {
    let range = response
        .headers()
        .get("content-range")
        .and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {byte}-")))
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(30)))
        .build()
        .into()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Removes a file that is of no use; if that fails, the next download overwrites it.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Makes the new name itself survive a power cut, where folders can be synced.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| fs::File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_only_this_machine_is_asked() {
        for url in [
            "http://127.0.0.1:8000/a",
            "http://localhost/a",
            "http://[::1]:1/a",
        ] {
            assert!(!is_forbidden(url, Some("1")), "{url}");
        }
        for url in [
            "https://example.org/a",
            "http://127.0.0.1.example.org/a",
            "http://localhost@example.org/",
            "http://localhost:x@example.org/",
        ] {
            assert!(is_forbidden(url, Some("1")), "{url}");
            assert!(!is_forbidden(url, None) && !is_forbidden(url, Some("")));
        }
    }
}
