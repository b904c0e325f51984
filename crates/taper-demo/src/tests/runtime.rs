use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256, Sha512};

use crate::runtime::{Package, PackageFile, hex};
use crate::{DemoError, Progress, Runtime, RuntimeOptions};

const SCRIPT: &str = "export const answer = 42;";
const WASM: &str = "\0asm";

/// A package as the registry has it, with the files above in its folder `dist`, and others.
fn packed() -> &'static [u8] {
    static PACKED: OnceLock<Vec<u8>> = OnceLock::new();
    PACKED.get_or_init(|| {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (path, content) in [
            ("package/package.json", "{}"),
            ("package/dist/ort.mjs", SCRIPT),
            ("package/dist/deep/ort.wasm", "not this one"),
            ("package/dist/ort.wasm", WASM),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    })
}

/// That package, with its checksums.
fn package() -> &'static Package {
    static PACKAGE: OnceLock<Package> = OnceLock::new();
    let sha256 = |text: &str| -> &'static str { hex(&Sha256::digest(text)).leak() };
    PACKAGE.get_or_init(|| Package {
        version: "0.0.1",
        path: "small/-/small-0.0.1.tgz",
        bytes: packed().len() as u64,
        sha512: hex(&Sha512::digest(packed())).leak(),
        script: PackageFile { name: "ort.mjs", bytes: SCRIPT.len() as u64, sha256: sha256(SCRIPT) },
        wasm: PackageFile { name: "ort.wasm", bytes: WASM.len() as u64, sha256: sha256(WASM) },
    })
}

/// What a registry does with every request.
#[derive(Clone, Copy)]
enum Registry {
    /// Sends these bytes.
    Sends(&'static [u8]),
    /// Announces the package, and closes the connection after so many bytes.
    Cuts(usize),
    /// Sends so many bytes without having announced how many, and closes the connection.
    CutsUnannounced(usize),
    /// The same, and keeps it.
    Stalls(usize),
    Refuses(u16),
    Redirects,
}

/// Starts a registry that answers every request so; its address.
fn registry(registry: Registry) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or_default();
            let asked = String::from_utf8_lossy(&request[..length]).into_owned();
            let head = |length: usize| {
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")
            };
            let answer = match registry {
                _ if !asked.starts_with("GET /small/-/small-0.0.1.tgz ") && !asked.starts_with("GET /moved ") => {
                    b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
                }
                Registry::Redirects if asked.starts_with("GET /small") => {
                    b"HTTP/1.1 302 Found\r\nlocation: /moved\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
                }
                Registry::Redirects => [head(packed().len()).as_bytes(), packed()].concat(),
                Registry::Sends(bytes) => [head(bytes.len()).as_bytes(), bytes].concat(),
                Registry::Cuts(at) | Registry::Stalls(at) => {
                    [head(packed().len()).as_bytes(), &packed()[..at]].concat()
                }
                Registry::CutsUnannounced(at) => {
                    [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", &packed()[..at]].concat()
                }
                Registry::Refuses(status) => {
                    format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into()
                }
            };
            // A client that gives up closes its end.
            let _ = stream.write_all(&answer);
            if matches!(registry, Registry::Stalls(_)) {
                thread::sleep(Duration::from_secs(30));
            }
        }
    });
    address
}

fn options(cache: &Path, registry: &str) -> RuntimeOptions {
    let mut options = RuntimeOptions::new(cache);
    options.registry = registry.to_owned();
    options
}

fn get(options: &RuntimeOptions) -> Result<Runtime, DemoError> {
    Runtime::get_package(package(), options, &mut |_| ())
}

/// The files of the cache.
fn cached(cache: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(package().folder(cache)) else { return vec![] };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_package_is_downloaded_once_and_then_taken_from_the_cache() {
    for kind in [Registry::Sends(packed()), Registry::Redirects] {
        let cache = tempfile::tempdir().unwrap();
        let mut options = options(cache.path(), &registry(kind));
        let mut seen: Vec<Progress> = Vec::new();
        let runtime = Runtime::get_package(package(), &options, &mut |progress| seen.push(progress)).unwrap();
        assert_eq!((&*runtime.script.0, &*runtime.wasm.0), (SCRIPT.as_bytes(), WASM.as_bytes()));
        assert_eq!(cached(cache.path()), ["ort.mjs", "ort.wasm"]);
        let total = package().bytes;
        assert_eq!(seen.first(), Some(&Progress { received: 0, total }));
        assert_eq!(seen.last(), Some(&Progress { received: total, total }));
        assert!(seen.is_sorted_by_key(|progress| progress.received));

        options.registry = "http://127.0.0.1:1".to_owned();
        assert_eq!(get(&options).unwrap(), runtime);
    }
}

#[test]
fn a_cache_that_was_changed_is_filled_anew_and_what_was_checked_stays() {
    let cache = tempfile::tempdir().unwrap();
    let options = options(cache.path(), &registry(Registry::Sends(packed())));
    let runtime = get(&options).unwrap();
    let file = |name: &str| package().folder(cache.path()).join(name);
    fs::write(file("ort.wasm"), "changed").unwrap();
    fs::remove_file(file("ort.mjs")).unwrap();
    assert_eq!(&*runtime.wasm.0, WASM.as_bytes());
    assert_eq!(get(&options).unwrap(), runtime);
    assert_eq!(fs::read_to_string(file("ort.wasm")).unwrap(), WASM);
}

#[test]
fn without_a_home_no_shared_folder_is_used() {
    let set = |name: &str| (name == "XDG_CACHE_HOME").then(|| "/caches".into());
    let cache = |var: &dyn Fn(&str) -> Option<OsString>, home: Option<&str>| {
        RuntimeOptions::from_vars(var, home.map(PathBuf::from)).cache
    };
    assert_eq!(cache(&set, Some("/me")), Some("/caches/taper".into()));
    assert_eq!(cache(&|_| None, Some("/me")), Some("/me/.cache/taper".into()));
    let named = |name: &str| (name == "TAPER_CACHE").then(|| "/mine".into()).or_else(|| set(name));
    assert_eq!(cache(&named, Some("/me")), Some("/mine".into()));
    for home in [None, Some("")] {
        let options = RuntimeOptions::from_vars(&|_| None, home.map(PathBuf::from));
        assert_eq!(options.cache, None);
        let error = get(&options).unwrap_err().to_string();
        assert!(error.contains("XDG_CACHE_HOME") && error.contains("--runtime"), "{error}");
    }
}

#[test]
fn failures_are_told_apart_and_leave_nothing() {
    static LONGER: [u8; 100_000] = [0; 100_000];
    let other = packed().iter().map(|byte| !byte).collect::<Vec<u8>>().leak();
    for (kind, mentions) in [
        (Registry::Sends(&LONGER), "it has more than"),
        (Registry::Sends(other), "its SHA-512 is"),
        (Registry::Sends(b"<html>"), "broke off after 6 of"),
        (Registry::Cuts(100), "broke off after 100 of"),
        (Registry::CutsUnannounced(100), "broke off after 100 of"),
        (Registry::Stalls(100), "stood still for 0.7 s after 100 of"),
        (Registry::Stalls(0), "stood still for 0.7 s after 0 of"),
        (Registry::Refuses(404), "HTTP status 404"),
        (Registry::Refuses(503), "HTTP status 503"),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let mut options = options(cache.path(), &registry(kind));
        options.stall_timeout =
            Duration::from_millis(if matches!(kind, Registry::Stalls(_)) { 700 } else { 30_000 });
        let error = get(&options).unwrap_err().to_string();
        assert!(
            error.contains(mentions) && error.contains("/small/-/small-0.0.1.tgz"),
            "{mentions}: {error}"
        );
        assert_eq!(cached(cache.path()), [""; 0], "{mentions}");
    }
}

#[test]
fn without_a_registry_the_remedy_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let error = get(&options(cache.path(), "http://127.0.0.1:1")).unwrap_err();
    assert!(matches!(error, DemoError::Unreachable { .. }), "{error}");
    for remedy in ["NPM_CONFIG_REGISTRY", "--runtime", "127.0.0.1:1"] {
        assert!(error.to_string().contains(remedy), "{remedy}: {error}");
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let mut options = options(cache.path(), &registry(Registry::Sends(packed())));
    let file = cache.path().join("roots.pem");
    options.certificates = Some(file.clone());
    let error = get(&options).unwrap_err();
    assert!(matches!(error, DemoError::Read { .. }) && error.to_string().contains("roots.pem"), "{error}");
    fs::write(&file, "no certificate").unwrap();
    let error = get(&options).unwrap_err();
    assert!(
        matches!(error, DemoError::Certificates { .. }) && error.to_string().contains("SSL_CERT_FILE"),
        "{error}"
    );
}

#[test]
fn a_cache_that_cannot_be_written_is_told_before_the_download() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    let error = get(&options(&taken, "http://127.0.0.1:1")).unwrap_err();
    assert!(matches!(error, DemoError::Write(_)) && error.to_string().contains("taken"), "{error}");
}

#[test]
fn a_folder_is_taken_in_every_form_of_the_package_and_checked() {
    for place in ["", "dist", "package/dist", "node_modules/onnxruntime-web/dist"] {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join(place);
        fs::create_dir_all(&files).unwrap();
        let options = RuntimeOptions::new("/nowhere").folder(Some(folder.path().to_owned()));
        fs::write(files.join("ort.mjs"), SCRIPT).unwrap();
        let error = get(&options).unwrap_err();
        assert!(matches!(&error, DemoError::NoRuntime { file: "ort.wasm", .. }), "{place}: {error}");
        fs::write(files.join("ort.wasm"), "another").unwrap();
        let error = get(&options).unwrap_err();
        assert!(matches!(&error, DemoError::OtherRuntime { .. }), "{place}: {error}");
        assert!(error.to_string().contains("ort.wasm"), "{place}: {error}");
        fs::write(files.join("ort.wasm"), WASM).unwrap();
        assert_eq!(&*get(&options).unwrap().script.0, SCRIPT.as_bytes());
        // Of the same size, and of any.
        fs::write(files.join("ort.wasm"), "\0ASM").unwrap();
        assert!(get(&options).unwrap_err().to_string().contains("its SHA-256 is"), "{place}");
    }
}

#[test]
fn the_limits_of_the_longest_waits_do_not_overflow_and_a_silent_registry_is_told() {
    let cache = tempfile::tempdir().unwrap();
    let mut patient = options(cache.path(), &registry(Registry::Sends(packed())));
    patient.connect_timeout = Duration::MAX;
    get(&patient).unwrap();

    // Connections are taken, and nothing is said.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://me:secret@{}", silent.local_addr().unwrap());
    let cache = tempfile::tempdir().unwrap();
    let mut options = options(cache.path(), &address);
    options.connect_timeout = Duration::from_millis(200);
    let error = get(&options).unwrap_err();
    assert!(matches!(error, DemoError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("secret") && !error.to_string().contains("channel"), "{error}");
}
