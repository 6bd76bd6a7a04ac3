//! The page server of `cargo course up`: the built book, and the kernel behind its Run buttons.
//!
//! Whoever reaches `/api/kernel` can run programs on this machine, and other users of it reach its ports, too. So the server
//! listens on loopback only, answers only to a loopback name (a foreign name that resolves to 127.0.0.1 is refused), shows
//! nothing to whoever does not have the address that `cargo course up` printed, and takes WebSockets only from its own pages.

mod entrance;
mod files;
mod kernel;
mod outbox;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use data_encoding::HEXLOWER;
use kindling_kernel::{KernelKind, Pool, PoolState, Report};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, watch};

/// What every connection shares.
pub struct Shared {
    /// The folder of the built book.
    pub book: PathBuf,
    /// What a browser must show before it is let in.
    pub token: String,
    /// How far the kernel is.
    pub status: watch::Sender<Status>,
    /// How far the kernels with more crates are, once a page has asked for one.
    pub extra: watch::Sender<BTreeMap<KernelKind, Status>>,
    /// The warm kernel, once there is one.
    pub pool: watch::Sender<Option<Arc<Pool>>>,
    /// News for every open page.
    pub notices: broadcast::Sender<Notice>,
    /// True when the server is about to end.
    pub closing: watch::Sender<bool>,
    /// Held by everything that runs a kernel; gone once [`Shared::release`] was called and all have ended.
    running: Mutex<Option<mpsc::Sender<()>>>,
}

/// How far the kernel is, as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `preparing`, `warming`, `ready` or `unavailable`.
    pub state: &'static str,
    /// A sentence for the reader; may be empty.
    pub message: String,
    /// Numbers of which a page makes its own words, while something is prepared.
    pub progress: Option<Report>,
}

/// The state of a kernel that a page has asked for and nobody prepares yet; pages show `preparing`.
pub const ASKED: &str = "asked";

impl Status {
    /// A status with its explanation.
    pub fn new(state: &'static str, message: impl Into<String>) -> Self {
        Self {
            state,
            message: message.into(),
            progress: None,
        }
    }

    /// Being prepared, this far.
    pub fn preparing(report: Report) -> Self {
        Self {
            progress: Some(report),
            ..Self::new("preparing", "")
        }
    }

    /// What a pool says.
    pub fn of(pool: &PoolState) -> Self {
        match pool {
            PoolState::Warming => Self::new("warming", ""),
            PoolState::Ready => Self::new("ready", ""),
            PoolState::Failed(why) => Self::new("unavailable", why.clone()),
        }
    }
}

/// News for every open page.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The book was built anew.
    Reload,
    /// A saved page cannot be built, and why.
    Problem(String),
}

impl Shared {
    /// The state of a server for the book in `book`; the receiver ends when nothing runs a kernel any more.
    pub fn new(book: PathBuf) -> Result<(Arc<Self>, mpsc::Receiver<()>)> {
        let (running, ended) = mpsc::channel(1);
        let shared = Self {
            book,
            token: token()?,
            status: watch::Sender::new(Status::new("preparing", "")),
            extra: watch::Sender::new(BTreeMap::new()),
            pool: watch::Sender::new(None),
            notices: broadcast::Sender::new(16),
            closing: watch::Sender::new(false),
            running: Mutex::new(Some(running)),
        };
        Ok((Arc::new(shared), ended))
    }

    /// How far the kernel with these crates is: it needs the one of most pages first.
    pub fn status_for(&self, crates: KernelKind) -> Status {
        let status = self.status.borrow().clone();
        if crates == KernelKind::COURSE || !["ready", "warming"].contains(&status.state) {
            return status;
        }
        let extra = self.extra.borrow().get(&crates).cloned();
        extra.unwrap_or(Status::new("preparing", ""))
    }

    /// Asks for the kernel with these crates; once more when it could not be prepared.
    pub fn ask_for(&self, crates: KernelKind) {
        self.extra.send_if_modified(|extra| {
            let known = extra.get(&crates);
            let asks = crates != KernelKind::COURSE
                && known.is_none_or(|status| status.state == "unavailable");
            if asks {
                extra.insert(crates, Status::new(ASKED, ""));
            }
            asks
        });
    }

    /// A mark that something runs a kernel; none once the server is closing.
    fn mark(&self) -> Option<mpsc::Sender<()>> {
        self.running.lock().ok().and_then(|running| running.clone())
    }

    /// Tells everything to end.
    pub fn release(&self) {
        self.closing.send_replace(true);
        if let Ok(mut running) = self.running.lock() {
            running.take();
        }
    }
}

/// The routes of the server.
pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/kernel", any(kernel::connect))
        .fallback(files::serve)
        .layer(from_fn_with_state(shared.clone(), entrance::guard))
        .layer(from_fn(guard))
        .with_state(shared)
}

/// Refuses foreign names, and tells browsers what our pages may do.
async fn guard(request: Request, next: Next) -> Response {
    if !is_local(request.headers()) {
        let message = "this server answers only to localhost and 127.0.0.1\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const CROSS_ORIGIN_RESOURCE_POLICY: header::HeaderName =
    header::HeaderName::from_static("cross-origin-resource-policy");

/// Nothing comes from or goes to another host. Search compiles WebAssembly; mdBook's pages hold scripts and styles.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
    object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// Whether the request names this machine; the port is free, because a container's port may be forwarded to another.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

/// Whether one of our own pages asks. Each browser says for a WebSocket who does.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|name| name == host),
        _ => false,
    }
}

fn token() -> Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("no random numbers from the system: {error}"))?;
    Ok(HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_this_machine_is_answered() {
        for host in [
            "127.0.0.1:3400",
            "localhost",
            "localhost:8080",
            "[::1]:3400",
        ] {
            assert!(is_local(&headers(host, None)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:3400",
            "localhost.evil.example:3400",
            "",
        ] {
            assert!(!is_local(&headers(host, None)), "{host}");
        }
    }

    #[test]
    fn what_few_pages_need_is_asked_for_by_such_a_page() {
        let (shared, _running) = Shared::new("book".into()).unwrap();
        let tables = KernelKind::with(Some("kindling-tables")).unwrap();
        shared.ask_for(KernelKind::COURSE);
        assert!(shared.extra.borrow().is_empty());
        shared.ask_for(tables);
        assert_eq!(shared.extra.borrow()[&tables].state, ASKED);
        // The kernel of most pages comes first.
        assert_eq!(shared.status_for(tables).state, "preparing");
        shared
            .status
            .send_replace(Status::new("unavailable", "no network"));
        assert_eq!(shared.status_for(tables).message, "no network");
        shared.status.send_replace(Status::new("ready", ""));
        let failed = |extra: &mut BTreeMap<_, _>| {
            extra.insert(tables, Status::new("unavailable", "no disk"));
        };
        shared.extra.send_modify(failed);
        assert_eq!(shared.status_for(tables).message, "no disk");
        assert_eq!(shared.status_for(KernelKind::COURSE).state, "ready");
        // A page that is opened again tries again.
        shared.ask_for(tables);
        assert_eq!(shared.status_for(tables).state, ASKED);
    }

    #[test]
    fn only_our_own_pages_may_run_code() {
        let ask = |origin| is_own_origin(&headers("127.0.0.1:3400", origin));
        assert!(ask(Some("http://127.0.0.1:3400")) && !ask(None));
        assert!(!ask(Some("http://127.0.0.1:9999")));
        assert!(!ask(Some("http://evil.example")));
        assert!(!ask(Some("null")));
    }

    #[test]
    fn tokens_differ() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_eq!(one.len(), 48);
        assert_ne!(one, other);
    }

    /// A server for a book of two pages, as `up` starts it.
    async fn serve() -> (Arc<Shared>, std::net::SocketAddr, tempfile::TempDir) {
        let book = tempfile::tempdir().unwrap();
        std::fs::create_dir(book.path().join("zh-CN")).unwrap();
        for page in ["index.html", "zh-CN/a.html"] {
            let text = "<head></head><body>the page</body>";
            std::fs::write(book.path().join(page), text).unwrap();
        }
        std::fs::write(book.path().join(".inputs"), "hidden").unwrap();
        let (shared, _) = Shared::new(book.path().to_owned()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = router(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (shared, address, book)
    }

    /// What the server answers to a request, as it stands on the line.
    async fn ask(address: std::net::SocketAddr, line: &str, headers: &[String]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let headers: String = headers
            .iter()
            .map(|header| format!("{header}\r\n"))
            .collect();
        let close = if headers.contains("Upgrade") {
            ""
        } else {
            "Connection: close\r\n"
        };
        let request = format!("{line} HTTP/1.1\r\nHost: {address}\r\n{close}{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A WebSocket stays open: the first words of the answer are enough.
        let limit = std::time::Duration::from_millis(if close.is_empty() { 1_000 } else { 10_000 });
        let _ = tokio::time::timeout(limit, stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn without_the_address_that_was_printed_nothing_is_shown() {
        let (shared, address, _book) = serve().await;
        let port = address.port();
        let cookie = |name: &str, value: &str| vec![format!("Cookie: {name}={value}")];
        let strangers = [
            Vec::new(),
            cookie(&format!("kindling-{port}"), "wrong"),
            cookie("kindling-1", &shared.token),
            vec![format!("Authorization: token {}", shared.token)],
        ];
        for stranger in strangers {
            for line in [
                "GET /",
                "GET /zh-CN/a.html",
                "GET /missing.html",
                "GET /api/kernel",
                "GET /api/hello",
                "GET /?token=",
                "GET /?token=wrong",
                "HEAD /",
                "OPTIONS /",
                "POST /",
                "DELETE /zh-CN/a.html",
            ] {
                let answer = ask(address, line, &stranger).await;
                assert!(answer.starts_with("HTTP/1.1 401 "), "{line}: {answer}");
                assert!(!answer.contains("the page"), "{line}: {answer}");
                assert!(
                    !answer.contains(&shared.token) && !answer.contains("set-cookie"),
                    "{line}: {answer}"
                );
                assert!(answer.contains("x-frame-options: DENY"), "{line}: {answer}");
            }
        }
        // The token opens pages, and nothing by another method.
        let answer = ask(address, &format!("POST /?token={}", shared.token), &[]).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }

    #[tokio::test]
    async fn the_address_that_was_printed_opens_and_the_token_is_in_no_page() {
        let (shared, address, _book) = serve().await;
        let token = &shared.token;
        let port = address.port();
        for (asked, led_to) in [
            ("/".to_owned() + "?token=" + token, "/"),
            (format!("/zh-CN/a.html?token={token}"), "/zh-CN/a.html"),
            (
                format!("/zh-CN/a.html?token={token}&highlight=b"),
                "/zh-CN/a.html?highlight=b",
            ),
            (format!("//evil.example/?token={token}"), "/"),
        ] {
            let answer = ask(address, &format!("GET {asked}"), &[]).await;
            assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
            assert!(
                answer.contains(&format!("location: {led_to}\r\n")),
                "{answer}"
            );
            let cookie = format!(
                "set-cookie: kindling-{port}={token}; HttpOnly; SameSite=Strict; Path=/\r\n"
            );
            assert!(answer.contains(&cookie), "{answer}");
            assert!(answer.contains("referrer-policy: no-referrer"), "{answer}");
            // The one place where it stands.
            assert_eq!(answer.matches(token.as_str()).count(), 1, "{answer}");
        }
        // From a page elsewhere a redirect would be followed without the cookie.
        let elsewhere = ["Sec-Fetch-Site: cross-site".to_owned()];
        let answer = ask(
            address,
            &format!("GET /zh-CN/a.html?token={token}"),
            &elsewhere,
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("url=/zh-CN/a.html\""),
            "{answer}"
        );

        let known = [format!("Cookie: other=1; kindling-{port}={token}")];
        for (line, status) in [
            ("GET /", "200"),
            ("GET /?token=old", "200"),
            ("GET /zh-CN/a.html", "200"),
            ("HEAD /zh-CN/a.html", "200"),
            ("GET /missing.html", "404"),
            ("GET /api/hello", "404"),
            ("GET /.inputs", "404"),
            ("GET /%2e%2e/Cargo.toml", "404"),
            ("OPTIONS /", "405"),
            ("POST /", "405"),
        ] {
            let answer = ask(address, line, &known).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{line}: {answer}"
            );
            assert!(
                !answer.contains(token.as_str()) && !answer.contains("hidden"),
                "{line}: {answer}"
            );
        }
        let answer = ask(address, "GET //zh-CN", &known).await;
        assert!(answer.contains("location: /zh-CN/\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_websocket_needs_the_cookie_and_a_page_of_ours() {
        let (shared, address, _book) = serve().await;
        let port = address.port();
        let asked = |cookie: &str, origin: Option<&str>| {
            let mut headers: Vec<String> = [
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
            .map(str::to_owned)
            .into();
            headers.push(format!("Cookie: kindling-{port}={cookie}"));
            headers.extend(origin.map(|origin| format!("Origin: {origin}")));
            headers
        };
        let own = format!("http://{address}");
        let other = "http://127.0.0.1:1";
        for (cookie, origin, status) in [
            (shared.token.as_str(), Some(own.as_str()), "101"),
            (&shared.token, Some(other), "403"),
            (&shared.token, Some("http://evil.example"), "403"),
            (&shared.token, Some("null"), "403"),
            (&shared.token, None, "403"),
            ("wrong", Some(&own), "401"),
            ("", Some(&own), "401"),
        ] {
            let answer = ask(address, "GET /api/kernel?crates=", &asked(cookie, origin)).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{origin:?}: {answer}"
            );
        }
        // The token in the address is for pages alone.
        let line = format!("GET /api/kernel?token={}", shared.token);
        let answer = ask(address, &line, &asked("wrong", Some(&own))).await;
        assert!(!answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }
}
