//! Serves the files of the built book, and gives each page the token with which it may run code.

use super::Shared;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The file that a request names; `index.html` for a folder, the book's own page for what is missing.
pub async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path();
    let Some(mut file) = below(&shared.book, path) else {
        return missing(&shared).await;
    };
    if tokio::fs::metadata(&file)
        .await
        .is_ok_and(|found| found.is_dir())
    {
        if !path.ends_with('/') {
            let to = format!("{path}/");
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response();
        }
        file.push("index.html");
    }
    match tokio::fs::read(&file).await {
        Ok(bytes) => answer(&shared, &file, bytes),
        Err(_) => missing(&shared).await,
    }
}

fn answer(shared: &Shared, file: &Path, bytes: Vec<u8>) -> Response {
    let kind = content_type(file);
    let body = if kind.starts_with("text/html") {
        with_token(&bytes, &shared.token)
    } else {
        bytes
    };
    // The book changes under the reader's eyes: nothing may be kept.
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from(body)).into_response()
}

async fn missing(shared: &Shared) -> Response {
    let file = shared.book.join("404.html");
    let mut response = match tokio::fs::read(&file).await {
        Ok(bytes) => answer(shared, &file, bytes),
        Err(_) => "no such page\n".into_response(),
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The page with the token in its head: only a page of ours can read it.
fn with_token(html: &[u8], token: &str) -> Vec<u8> {
    let meta = format!("<meta name=\"kindling-server\" content=\"{token}\">\n</head>");
    String::from_utf8_lossy(html)
        .replacen("</head>", &meta, 1)
        .into_bytes()
}

/// The file below `folder` that a path of an address means; none when it leads elsewhere or to a hidden file.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = decode(path)?;
    let mut file = folder.to_owned();
    for part in Path::new(path.trim_start_matches('/')).components() {
        match part {
            Component::Normal(name) if !name.to_string_lossy().starts_with('.') => file.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(file)
}

/// Undoes percent-encoding.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(['\0', '\\'])).then_some(text)
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|end| end.to_str()).unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "ipynb" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_inside_the_book() {
        let book = Path::new("/book");
        let file = |path| below(book, path);
        assert_eq!(file("/"), Some("/book".into()));
        assert_eq!(file("/a/b%20c.html"), Some("/book/a/b c.html".into()));
        for path in [
            "/../etc/passwd",
            "/a/%2e%2e/%2e%2e/etc/passwd",
            "/.kindling",
            "/a%00b",
            "/a%5c..%5cb",
            "/%zz",
            "/%é",
        ] {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn a_page_gets_the_token_once() {
        let html = with_token(b"<head><title>A</title></head><body></head>", "abc");
        let html = String::from_utf8(html).unwrap();
        assert_eq!(html.matches("content=\"abc\"").count(), 1);
        assert!(html.starts_with("<head><title>A</title><meta name=\"kindling-server\""));
    }
}
