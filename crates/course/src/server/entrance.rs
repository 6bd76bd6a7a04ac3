//! Lets in whoever has the address that `cargo course up` printed, and nobody else.
//!
//! The address holds a token that is new in each run. It is exchanged for a cookie and taken out of the address, so that it
//! stands in no page, no history and no list of processes.

use super::Shared;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use kindling_book::Language;
use serde::Deserialize;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The name of the token in an address.
const NAME: &str = "token";

#[derive(Deserialize)]
struct Ticket {
    token: Option<String>,
}

/// Takes the token out of the address of whoever comes with it; sends away who has neither token nor cookie.
pub async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let ticket = Query::<Ticket>::try_from_uri(request.uri());
    if let Ok(Query(Ticket { token: Some(token) })) = ticket
        && [Method::GET, Method::HEAD].contains(request.method())
        && is_token(&shared.token, &token)
    {
        return let_in(&token, request.uri(), request.headers());
    }
    if !has_cookie(&shared.token, request.headers()) {
        return (StatusCode::UNAUTHORIZED, Html(closed())).into_response();
    }
    next.run(request).await
}

/// Gives the cookie, and leads to the same address without the token.
fn let_in(token: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    let to = without_token(uri);
    let name = cookie_name(headers);
    let cookie = format!("{name}={token}; HttpOnly; SameSite=Strict; Path=/");
    let (Ok(cookie), Ok(location)) = (HeaderValue::from_str(&cookie), HeaderValue::from_str(&to))
    else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let kept = [
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    // A browser that comes from a page elsewhere, such as the file that opens it, would follow a redirect without the
    // cookie. From a page of ours it goes with it.
    let from_elsewhere = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    if from_elsewhere {
        let page = format!(
            "<!doctype html><meta http-equiv=\"refresh\" content=\"0;url={}\">",
            escaped(&to)
        );
        return (kept, Html(page)).into_response();
    }
    (StatusCode::SEE_OTHER, kept, [(header::LOCATION, location)]).into_response()
}

/// The path and the query without the token; never the address of another host.
fn without_token(uri: &Uri) -> String {
    let path = uri.path();
    if path.starts_with("//") || path.contains('\\') {
        return "/".to_owned();
    }
    let others = uri.query().unwrap_or_default().split('&');
    let others: Vec<&str> = others
        .filter(|part| !part.is_empty() && part.split('=').next() != Some(NAME))
        .collect();
    if others.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", others.join("&"))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

/// A browser sends the cookies of all ports of a machine to each: the name tells two servers apart. It is the port that the
/// browser knows, because a container's port may be forwarded to another.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let port = host
        .and_then(|host| host.rsplit_once(':'))
        .map(|(_, port)| port);
    let port = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    format!("kindling-{}", port.unwrap_or("80"))
}

fn has_cookie(expected: &str, headers: &HeaderMap) -> bool {
    let name = cookie_name(headers);
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .any(|(found, value)| found == name && is_token(expected, value))
}

/// Compares in a time that does not tell how much was right.
fn is_token(expected: &str, found: &str) -> bool {
    expected.as_bytes().ct_eq(found.as_bytes()).into()
}

/// All that is said to whoever is not let in, in each language.
fn closed() -> String {
    let said = Language::ALL.map(|language| {
        format!(
            "<p lang=\"{}\">{}</p>\n",
            language.code(),
            language.closed()
        )
    });
    format!("{HEAD}{}</body>\n</html>\n", said.concat())
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Kindling</title>
<style>body { max-width: 34em; margin: 4em auto; padding: 0 1em; font: 1.1em/1.6 sans-serif; color-scheme: light dark }</style>
</head>
<body>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_cookie_of_this_port_opens() {
        let opens = |cookies: &[&str]| has_cookie("secret", &headers("127.0.0.1:3400", cookies));
        assert!(opens(&["kindling-3400=secret"]));
        assert!(opens(&[
            "a=b; kindling-3400=old; kindling-3400=secret",
            "c=d"
        ]));
        assert!(opens(&["a=b", "kindling-3400=secret"]));
        for wrong in [
            "",
            "secret",
            "kindling-3400",
            "kindling-3400=",
            "kindling-3400=secre",
            "kindling-3400=secrets",
            "kindling-3401=secret",
            "kindling-=secret",
        ] {
            assert!(!opens(&[wrong]), "`{wrong}`");
        }
        assert!(!opens(&[]));
    }

    #[test]
    fn the_token_leaves_the_address_and_leads_nowhere_else() {
        let to = |uri: &str| without_token(&uri.parse().unwrap());
        assert_eq!(to("/?token=x"), "/");
        assert_eq!(
            to("/zh-CN/introduction.html?token=x"),
            "/zh-CN/introduction.html"
        );
        assert_eq!(
            to("/a.html?token=x&highlight=b&token=y"),
            "/a.html?highlight=b"
        );
        assert_eq!(to("//evil.example/?token=x"), "/");
        assert_eq!(escaped("/a?b=\"&c=<"), "/a?b=&quot;&amp;c=&lt;");
    }

    #[test]
    fn whoever_is_not_let_in_reads_how_in_each_language() {
        let closed = closed();
        assert_eq!(
            closed.matches("cargo course up").count(),
            Language::ALL.len()
        );
        assert!(closed.contains("lang=\"zh-CN\"") && !closed.contains("<script"));
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(is_token("abc", "abc"));
        assert!(
            !is_token("abc", "ab")
                && !is_token("abc", "abd")
                && !is_token("abc", "")
                && !is_token("abc", "abcd")
        );
    }
}
