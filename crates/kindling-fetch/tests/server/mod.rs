//! A small HTTP server whose faults can be chosen.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// Closes each connection after so many bytes of the body.
    CutAfter(usize),
    /// Ignores `Range`.
    NoRanges,
    /// Answers `Range` with a part that starts elsewhere.
    WrongRange,
    /// Waits before it answers.
    Slow(Duration),
    /// Sends more and more.
    Endless,
}

/// One request: its path and its `Range` header.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
}

pub struct Server {
    pub base: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves these files, by path, on a free port until the test ends.
    pub fn start(files: &[(&str, Vec<u8>)], fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files: Arc<HashMap<String, Vec<u8>>> = Arc::new(
            files
                .iter()
                .map(|(path, bytes)| ((*path).to_owned(), bytes.clone()))
                .collect(),
        );
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, seen) = (Arc::clone(&files), Arc::clone(&seen));
                thread::spawn(move || drop(answer(stream, &files, &seen, fault)));
            }
        });
        Self { base, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &HashMap<String, Vec<u8>>,
    seen: &Mutex<Vec<Request>>,
    fault: Fault,
) -> std::io::Result<()> {
    let request = read_request(&stream)?;
    seen.lock().unwrap().push(request.clone());
    if let Fault::Slow(pause) = fault {
        thread::sleep(pause);
    }
    let Some(bytes) = files.get(&request.path) else {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    };
    if fault == Fault::Endless {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[0; 4096])?;
        }
    }
    let start = match &request.range {
        Some(_) if fault == Fault::NoRanges => None,
        Some(range) => range
            .trim_start_matches("bytes=")
            .trim_end_matches('-')
            .parse::<usize>()
            .ok(),
        None => None,
    };
    let named = if fault == Fault::WrongRange {
        0
    } else {
        start.unwrap_or(0)
    };
    let body = &bytes[named.min(bytes.len())..];
    let head = match start {
        Some(start) if start >= bytes.len() => {
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0".to_owned()
        }
        Some(_) => {
            let range = format!("bytes {named}-{}/{}", bytes.len() - 1, bytes.len());
            format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\nContent-Length: {}",
                body.len()
            )
        }
        None => format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len()),
    };
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let sent = if let Fault::CutAfter(most) = fault {
        most.min(body.len())
    } else {
        body.len()
    };
    stream.write_all(&body[..sent])
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    Ok(Request { path, range })
}
