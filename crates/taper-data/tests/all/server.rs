//! A server on the loopback device that answers as the Hub does, or fails as networks do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "77f3279092a1c1579b2250db8eafed0ad422088c";

/// Where a file is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Route {
    /// Where it was asked for.
    Direct,
    /// Under another path of the same server, as for a renamed repository.
    Relative,
    /// On another server, as for large files.
    Cdn,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// Takes the connection and never answers.
    Silent,
    /// Answers the first request and no other.
    SilentAfterFirst,
    /// Stops in the body and keeps the connection.
    StallAt(usize),
    /// Closes the connection in the body.
    CutAt(usize),
    /// The same, but the first time only.
    CutOnceAt(usize),
    /// The same, without having announced the length.
    CutUnannouncedAt(usize),
    /// Sends the whole file whatever range was asked for.
    IgnoresRange,
    Status(u16),
    /// Some web page, as a hotel's network gives.
    Portal,
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    route: Route,
    fault: Fault,
    requests: Vec<String>,
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Serves these files of `ylecun/mnist`.
    pub(crate) fn start(files: &[(&str, Vec<u8>)], route: Route, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let state = Arc::new(Mutex::new(State { files, route, fault, requests: Vec::new() }));
        let (shared, own) = (state.clone(), endpoint.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, own) = (shared.clone(), own.clone());
                // A client that gives up closes its end: that is no failure of the server.
                thread::spawn(move || drop(answer(stream, &shared, &own)));
            }
        });
        Self { endpoint, state }
    }

    /// An address at which nobody listens (a port that was free a moment ago may be another test's by now).
    pub(crate) fn nobody() -> String {
        "http://127.0.0.1:1".to_owned()
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.state.lock().unwrap().fault = fault;
    }

    /// The requests so far, each with its headers, and forgets them.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>, endpoint: &str) -> std::io::Result<()> {
    let request = read_request(&stream)?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let from = value.trim().strip_prefix("bytes=")?.split_once('-')?;
        name.eq_ignore_ascii_case("range").then(|| (from.0.parse().unwrap(), from.1.to_owned()))
    });
    let (body, route, fault) = {
        let mut state = state.lock().unwrap();
        state.requests.push(request);
        let fault = state.fault;
        let whole = range.as_ref().is_none_or(|(_, end): &(usize, String)| end.is_empty());
        if matches!(fault, Fault::CutOnceAt(_)) && whole {
            state.fault = Fault::None;
        }
        if fault == Fault::SilentAfterFirst {
            state.fault = Fault::Silent;
        }
        let asked = base_name(&path);
        let file = state.files.iter().find(|(name, _)| base_name(name) == asked);
        (file.map(|(_, bytes)| bytes.clone()), state.route, fault)
    };
    match fault {
        Fault::Silent => {
            thread::sleep(Duration::from_secs(60));
            return Ok(());
        }
        Fault::Status(status) => {
            return write!(stream, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Fault::Portal => {
            return write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>");
        }
        _ => {}
    }
    let Some(body) = body else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    // What begins so is announced by its SHA-256, or by another.
    let etag = match &body[..body.len().min(8)] {
        b"lfs-good" => sha256(&body),
        b"lfs-bad!" => "0".repeat(64),
        _ => format!("etag-{}", body.len()),
    };
    let asked_here = path.starts_with("/datasets/ylecun/mnist/resolve/");
    let file = base_name(&path);
    let hub = format!("x-repo-commit: {COMMIT}\r\n");
    match route {
        Route::Relative if asked_here => {
            return write!(
                stream,
                "HTTP/1.1 307 Moved\r\nlocation: /datasets/moved/{file}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
        Route::Cdn if asked_here => {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\n{hub}x-linked-etag: \"{etag}\"\r\nx-linked-size: {}\r\netag: \"pointer\"\r\n\
                 location: {endpoint}/cdn/{file}?signature=1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                body.len()
            );
        }
        _ => {}
    }
    let head = if route == Route::Cdn {
        "etag: \"cdn\"\r\n".to_owned()
    } else {
        format!("{hub}etag: \"{etag}\"\r\n")
    };
    send(&mut stream, &body, range, fault, &head)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base_name(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

fn read_request(stream: &TcpStream) -> std::io::Result<String> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut request)? > 2 {}
    Ok(request)
}

/// The part of the file that was asked for, until the fault strikes.
fn send(
    stream: &mut TcpStream,
    body: &[u8],
    range: Option<(usize, String)>,
    fault: Fault,
    head: &str,
) -> std::io::Result<()> {
    let (start, end) = range.unwrap_or_default();
    let probe = !end.is_empty();
    let start = if fault == Fault::IgnoresRange && !probe { 0 } else { start };
    if start >= body.len() {
        return write!(stream, "HTTP/1.1 416 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    let part = &body[start..if probe { end.parse::<usize>().unwrap() + 1 } else { body.len() }];
    let length = match fault {
        Fault::CutUnannouncedAt(_) if !probe => String::new(),
        _ => format!("content-length: {}\r\n", part.len()),
    };
    let last = start + part.len() - 1;
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\n{head}{length}content-range: bytes {start}-{last}/{}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    let stop = match fault {
        Fault::StallAt(at) | Fault::CutAt(at) | Fault::CutOnceAt(at) | Fault::CutUnannouncedAt(at)
            if !probe =>
        {
            at
        }
        _ => usize::MAX,
    };
    stream.write_all(&part[..stop.saturating_sub(start).min(part.len())])?;
    stream.flush()?;
    if matches!(fault, Fault::StallAt(_)) && !probe {
        thread::sleep(Duration::from_secs(60));
    }
    Ok(())
}
