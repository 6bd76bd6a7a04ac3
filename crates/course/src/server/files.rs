//! Serves the files of the built book, and tells each page that a server stands behind it.

use super::Shared;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
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
            // One slash: an address that starts with two names another host.
            let to = format!("/{}/", path.trim_start_matches('/'));
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response();
        }
        file.push("index.html");
    }
    match read(&shared.book, &file).await {
        Some(bytes) => answer(&file, bytes),
        None => missing(&shared).await,
    }
}

/// The bytes of a file that really lies below `folder`: a link to elsewhere is not followed.
async fn read(folder: &Path, file: &Path) -> Option<Vec<u8>> {
    let folder = tokio::fs::canonicalize(folder).await.ok()?;
    let file = tokio::fs::canonicalize(file).await.ok()?;
    if !file.starts_with(folder) {
        return None;
    }
    tokio::fs::read(file).await.ok()
}

fn answer(file: &Path, bytes: Vec<u8>) -> Response {
    let kind = content_type(file);
    let body = if kind.starts_with("text/html") {
        marked(&bytes)
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
    let mut response = match read(&shared.book, &file).await {
        Some(bytes) => answer(&file, bytes),
        None => "no such page\n".into_response(),
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The page with a mark in its head, by which it knows that its cells can be run. It holds no secret.
fn marked(html: &[u8]) -> Vec<u8> {
    let mark = "<meta name=\"kindling-server\" content=\"up\">\n</head>";
    String::from_utf8_lossy(html)
        .replacen("</head>", mark, 1)
        .into_bytes()
}

/// The file below `folder` that a path of an address means; none when it leads elsewhere or to a hidden file.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    if path.contains(['\0', '\\']) {
        return None;
    }
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
            "/%ff",
        ] {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn a_page_is_marked_once() {
        let html = marked(b"<head><title>A</title></head><body></head>");
        let html = String::from_utf8(html).unwrap();
        assert_eq!(html.matches("kindling-server").count(), 1);
        assert!(html.starts_with("<head><title>A</title><meta name=\"kindling-server\""));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_that_leads_out_of_the_book_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        std::fs::create_dir_all(&book).unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::fs::write(book.join("page"), "p").unwrap();
        std::os::unix::fs::symlink("../secret", book.join("out")).unwrap();
        std::os::unix::fs::symlink("page", book.join("in")).unwrap();
        assert_eq!(read(&book, &book.join("out")).await, None);
        assert_eq!(read(&book, &book.join("in")).await.unwrap(), b"p");
    }
}
