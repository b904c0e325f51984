//! What a browser asks for, and what it is answered.

use std::io::{self, Read};

use crate::page::{Entry, policy};

/// The longest request, in bytes; browsers send some 1,000.
const LONGEST: usize = 16 << 10;
/// The most headers.
const MOST_HEADERS: usize = 64;

/// The part of a request that matters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path, without the query.
    pub(crate) path: String,
    pub(crate) host: Option<String>,
}

/// A status, with the words that stand behind it.
pub(crate) type Status = (u16, &'static str);

pub(crate) const BAD_REQUEST: Status = (400, "Bad Request");
pub(crate) const FORBIDDEN: Status = (403, "Forbidden");
pub(crate) const NOT_FOUND: Status = (404, "Not Found");
pub(crate) const WRONG_METHOD: Status = (405, "Method Not Allowed");
pub(crate) const TOO_LONG: Status = (431, "Request Header Fields Too Large");
pub(crate) const UNREADABLE: Status = (500, "Internal Server Error");
pub(crate) const BUSY: Status = (503, "Service Unavailable");

/// Reads a request; `None` if the client closed the connection without one, as browsers do with connections that they
/// opened in advance.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<Option<Result<Request, Status>>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        match parse(&bytes) {
            _ if bytes.len() > LONGEST => return Ok(Some(Err(TOO_LONG))),
            Ok(None) => {}
            Ok(Some(request)) => return Ok(Some(Ok(request))),
            Err(status) => return Ok(Some(Err(status))),
        }
        match stream.read(&mut part)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}

/// `None` as long as more has to come.
fn parse(bytes: &[u8]) -> Result<Option<Request>, Status> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(status) if status.is_partial() => return Ok(None),
        Ok(_) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(TOO_LONG),
        Err(_) => return Err(BAD_REQUEST),
    }
    let mut hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = hosts.next().map(|header| String::from_utf8_lossy(header.value).trim().to_owned());
    if hosts.next().is_some() {
        return Err(BAD_REQUEST);
    }
    let path = request.path.unwrap_or_default().split(['?', '#']).next().unwrap_or_default().to_owned();
    Ok(Some(Request { method: request.method.unwrap_or_default().to_owned(), path, host }))
}

/// The file that is asked for. A path is compared with those of the page and with nothing else, so that none leads out
/// of it.
pub(crate) fn find<'a>(entries: &'a [Entry], request: &Request) -> Result<&'a Entry, Status> {
    // A page of a stranger can have its own name lead to this machine, and would then read what is served here: its
    // requests still bear that name.
    if !request.host.as_deref().is_some_and(is_loopback) {
        return Err(FORBIDDEN);
    }
    if request.method != "GET" && request.method != "HEAD" {
        return Err(WRONG_METHOD);
    }
    let path = match request.path.strip_prefix('/') {
        Some("") => "index.html",
        Some(path) => path,
        None => return Err(NOT_FOUND),
    };
    entries.iter().find(|entry| entry.path == path).ok_or(NOT_FOUND)
}

/// Whether a `Host` names this machine. The port may be another one: that of a tunnel.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The lines before the body.
pub(crate) fn head((code, words): Status, kind: &str, length: u64) -> String {
    let allow = if code == WRONG_METHOD.0 { "Allow: GET, HEAD\r\n" } else { "" };
    format!(
        "HTTP/1.1 {code} {words}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}Cache-Control: no-cache\r\n\
         Content-Security-Policy: {}; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Connection: close\r\n\r\n",
        policy()
    )
}

/// The type of a file, by its ending.
pub(crate) fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
