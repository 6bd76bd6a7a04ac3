//! The page server of `cargo course up`: the built book, and the kernel behind its Run buttons.
//!
//! Whoever reaches `/api/kernel` can run programs on this machine. So the server listens on loopback only, answers
//! only to a loopback name (a foreign name that resolves to 127.0.0.1 is refused), takes WebSockets only from its
//! own pages, and asks for a token that is new in each run and written into the pages that it serves.

mod files;
mod kernel;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use kindling_kernel::{Crates, Pool, PoolState, Report};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, watch};

/// What every connection shares.
pub struct Shared {
    /// The folder of the built book.
    pub book: PathBuf,
    /// What a page must know before it may run code.
    pub token: String,
    /// How far the kernel is.
    pub status: watch::Sender<Status>,
    /// How far the kernels with more crates are, once a page has asked for one.
    pub extra: watch::Sender<BTreeMap<Crates, Status>>,
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
    pub fn status_for(&self, crates: Crates) -> Status {
        let status = self.status.borrow().clone();
        if crates == Crates::Course || !["ready", "warming"].contains(&status.state) {
            return status;
        }
        let extra = self.extra.borrow().get(&crates).cloned();
        extra.unwrap_or(Status::new("preparing", ""))
    }

    /// Asks for the kernel with these crates; once more when it could not be prepared.
    pub fn ask_for(&self, crates: Crates) {
        self.extra.send_if_modified(|extra| {
            let known = extra.get(&crates);
            let asks = crates != Crates::Course
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
        .route("/api/hello", get(hello))
        .route("/api/kernel", any(kernel::connect))
        .fallback(files::serve)
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// Says that this is a course, so that a second `up` can tell.
async fn hello() -> &'static str {
    "kindling"
}

/// Refuses foreign names, and tells browsers what our pages may do.
async fn guard(State(_shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
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
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

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

/// Whether one of our own pages asks, or a program that is no browser.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|name| name == host),
        (Some(_), None) => false,
    }
}

/// Compares in a time that does not tell how much was right.
fn is_token(expected: &str, found: &str) -> bool {
    expected.len() == found.len()
        && expected
            .bytes()
            .zip(found.bytes())
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

fn token() -> Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("no random numbers from the system: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
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
        shared.ask_for(Crates::Course);
        assert!(shared.extra.borrow().is_empty());
        shared.ask_for(Crates::Tables);
        assert_eq!(shared.extra.borrow()[&Crates::Tables].state, ASKED);
        // The kernel of most pages comes first.
        assert_eq!(shared.status_for(Crates::Tables).state, "preparing");
        shared
            .status
            .send_replace(Status::new("unavailable", "no network"));
        assert_eq!(shared.status_for(Crates::Tables).message, "no network");
        shared.status.send_replace(Status::new("ready", ""));
        let failed = |extra: &mut BTreeMap<_, _>| {
            extra.insert(Crates::Tables, Status::new("unavailable", "no disk"));
        };
        shared.extra.send_modify(failed);
        assert_eq!(shared.status_for(Crates::Tables).message, "no disk");
        assert_eq!(shared.status_for(Crates::Course).state, "ready");
        // A page that is opened again tries again.
        shared.ask_for(Crates::Tables);
        assert_eq!(shared.status_for(Crates::Tables).state, ASKED);
    }

    #[test]
    fn only_our_own_pages_may_run_code() {
        let ask = |origin| is_own_origin(&headers("127.0.0.1:3400", origin));
        assert!(ask(Some("http://127.0.0.1:3400")) && ask(None));
        assert!(!ask(Some("http://127.0.0.1:9999")));
        assert!(!ask(Some("http://evil.example")));
        assert!(!ask(Some("null")));
    }

    #[test]
    fn tokens_differ_and_are_compared_whole() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_eq!(one.len(), 48);
        assert_ne!(one, other);
        assert!(is_token(&one, &one) && !is_token(&one, &one[..47]) && !is_token(&one, &other));
    }
}
