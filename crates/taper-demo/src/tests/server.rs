use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::made::{page, runtime};
use crate::page::{Content, Entry};
use crate::server::Limits;
use crate::{DemoError, Server};

/// A server that ends with the test's process, and the folder with its files.
fn start() -> (SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let server = Server::bind(Some(0)).unwrap();
    let address = server.address();
    thread::spawn(move || server.run(&page, &runtime()));
    (address, folder)
}

fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

#[test]
fn every_file_is_served_under_its_type() {
    let (address, _folder) = start();
    assert!(address.ip().is_loopback());
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/index.html?again=1", "text/html; charset=utf-8", "<!doctype html>"),
        ("/demo.css", "text/css; charset=utf-8", ":root"),
        ("/demo.js", "text/javascript; charset=utf-8", "//"),
        ("/demo.json", "application/json", "{\"network\""),
        ("/onnxruntime/ort.js", "text/javascript; charset=utf-8", "export {};"),
        ("/onnxruntime/ort-wasm-simd-threaded.wasm", "application/wasm", "\0asm"),
        ("/model.onnx", "application/octet-stream", "onnx"),
        ("/model-0.data", "application/octet-stream", "weights"),
    ] {
        let answer = get(address, path);
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert!(head.contains(&format!("Content-Type: {kind}\r\n")), "{path}: {head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", rest.len())), "{path}: {head}");
        assert!(head.contains("Content-Security-Policy: default-src 'none'"), "{path}: {head}");
        assert!(head.contains("\r\nCross-Origin-Resource-Policy: same-origin\r\n"), "{path}: {head}");
        assert!(rest.starts_with(body), "{path}: {rest}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let (address, _folder) = start();
    let head = send(address, "HEAD /demo.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let whole = get(address, "/demo.css");
    assert_eq!(head, whole[..whole.find("\r\n\r\n").unwrap() + 4]);
    let missing = send(address, "HEAD /no HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert!(missing.starts_with("HTTP/1.1 404 ") && missing.ends_with("\r\n\r\n"), "{missing}");
}

#[test]
fn nothing_else_is_served() {
    let (address, _folder) = start();
    for path in [
        "/nothing",
        "/../Cargo.toml",
        "/./demo.js",
        "//demo.js",
        "/%2e%2e/demo.js",
        "/onnxruntime",
        "/onnxruntime/",
        "/onnxruntime/../demo.js",
        "/a.wasm",
        "/weights",
        "http://127.0.0.1/demo.js",
        "*",
    ] {
        let answer = get(address, path);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[test]
fn only_names_of_this_machine_are_answered() {
    let (address, _folder) = start();
    for (host, code) in [
        ("Host: 127.0.0.1\r\n", 200),
        ("Host: 127.0.0.1:8000\r\n", 200),
        ("host: LOCALHOST:1\r\n", 200),
        ("Host: [::1]:8000\r\n", 200),
        ("", 403),
        ("Host: evil.example\r\n", 403),
        ("Host: 127.0.0.1.evil.example:8000\r\n", 403),
        ("Host: localhost.evil.example\r\n", 403),
        ("Host: evil@localhost\r\n", 403),
        ("Host: localhost\r\nHost: evil.example\r\n", 400),
    ] {
        let answer = send(address, &format!("GET / HTTP/1.1\r\n{host}\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{host}: {answer}");
        assert_eq!(answer.contains("<!doctype"), code == 200, "{host}");
    }
}

#[test]
fn other_requests_are_refused_and_the_server_goes_on() {
    let (address, folder) = start();
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(100));
    for (request, code) in [
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody", 405),
        ("DELETE /model.onnx HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
        (&long, 431),
        (&many, 431),
    ] {
        let answer = send(address, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{request:.40}: {answer}");
    }
    // A browser opens connections in advance, and may go away at any time.
    let idle = TcpStream::connect(address).unwrap();
    drop(TcpStream::connect(address).unwrap());
    fs::remove_file(folder.path().join("weights")).unwrap();
    assert!(get(address, "/model-0.data").starts_with("HTTP/1.1 500 "));
    assert!(get(address, "/").starts_with("HTTP/1.1 200 "));
    drop(idle);
}

#[test]
fn a_taken_port_is_an_error_if_it_was_asked_for() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Server::bind(Some(port)).unwrap_err();
    assert!(matches!(&error, DemoError::Port { port: named, .. } if *named == port), "{error}");
    assert!(error.to_string().contains("--port"), "{error}");
    // Without one, another is found even if that of the default is taken.
    let (first, second) = (Server::bind(None).unwrap(), Server::bind(None).unwrap());
    assert_ne!(first.address().port(), second.address().port());
}

/// A server of one file that is larger than what the system takes from it in advance, for one connection at a time.
fn start_narrow(limits: Limits) -> SocketAddr {
    let server = Server::bind(Some(0)).unwrap();
    let address = server.address();
    let large = Entry { path: "large".to_owned(), content: Content::Made("x".repeat(32 << 20)) };
    thread::spawn(move || server.run_within(vec![large], limits));
    address
}

const SHORT: Duration = Duration::from_millis(400);
const NARROW: Limits =
    Limits { connections: 1, request: SHORT, answer: SHORT, bytes_a_second: 1 << 40, end: SHORT };

/// Waits until the server answers again.
fn until_answered(address: SocketAddr) {
    let start = Instant::now();
    while !get(address, "/no").starts_with("HTTP/1.1 404 ") {
        assert!(start.elapsed() < Duration::from_secs(20), "the connection is held");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asks for the large file, and takes the beginning of the answer.
fn ask_for_large(address: SocketAddr) -> TcpStream {
    loop {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut status = [0; 12];
        // The earlier connection may still be counted.
        if stream.read_exact(&mut status).is_ok() && status == *b"HTTP/1.1 200" {
            return stream;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn too_many_connections_are_told_so() {
    let address = start_narrow(Limits { request: Duration::from_secs(60), ..NARROW });
    let idle = TcpStream::connect(address).unwrap();
    let refused = get(address, "/no");
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.ends_with("503 Service Unavailable\n"),
        "{refused}"
    );
    drop(idle);
    until_answered(address);
}

#[test]
fn a_client_that_drips_holds_its_connection_for_a_limited_time() {
    // Every single byte comes or goes within all limits.
    let drip = |mut act: Box<dyn FnMut() -> bool + Send>| {
        thread::spawn(move || {
            while act() {
                thread::sleep(Duration::from_millis(20))
            }
        });
    };
    let address = start_narrow(NARROW);
    let mut asking = TcpStream::connect(address).unwrap();
    drip(Box::new(move || asking.write_all(b"G").is_ok()));
    until_answered(address);

    let mut taking = ask_for_large(address);
    drip(Box::new(move || taking.read(&mut [0; 4096]).is_ok_and(|count| count > 0)));
    until_answered(address);
}

#[test]
fn who_is_slow_gets_the_time_that_a_large_file_takes() {
    let address = start_narrow(Limits { bytes_a_second: 1 << 20, ..NARROW });
    let mut stream = ask_for_large(address);
    // Longer than the least time for an answer, and shorter than that for this one.
    thread::sleep(2 * SHORT);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.len() > 31 << 20, "{} bytes", answer.len());
}
