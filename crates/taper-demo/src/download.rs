//! [`fetch`]: the runtime from the npm registry into the cache.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256, Sha512};
use taper_files::{check_writable, create_folder, write_atomic};
use tar::Archive;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::DemoError;
use crate::runtime::{Package, Progress, RuntimeOptions, hex};

/// Downloads `package`, checks it, and puts the files that are needed into `folder`, each in one step.
pub(crate) fn fetch(
    package: &'static Package,
    options: &RuntimeOptions,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DemoError> {
    // A cache that cannot be written is told before 33 MB have come.
    check_writable(folder)?;
    let url = format!("{}/{}", options.shown_registry(), package.path);
    let packed = download(&url, package, options, progress)?;
    let other = |problem: String| DemoError::OtherPackage { url: url.clone(), problem };
    let found = hex(&Sha512::digest(&packed));
    if found != package.sha512 {
        return Err(other(format!("its SHA-512 is {found}, not {}", package.sha512)));
    }
    let contents = unpack(&packed, package).map_err(other)?;
    create_folder(folder)?;
    for (file, content) in package.files().into_iter().zip(contents) {
        write_atomic(&folder.join(file.name), |out| out.write_all(&content))?;
    }
    Ok(())
}

/// The files of a package that are needed, checked.
fn unpack(packed: &[u8], package: &Package) -> Result<[Vec<u8>; 2], String> {
    let broken = |error: std::io::Error| format!("it cannot be unpacked: {error}");
    let mut contents = [const { Vec::new() }; 2];
    for entry in Archive::new(GzDecoder::new(packed)).entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?;
        let Ok(name) = path.strip_prefix("package/dist") else { continue };
        let mut files = package.files().into_iter().zip(&mut contents);
        if let Some((file, content)) = files.find(|(file, _)| name == Path::new(file.name)) {
            entry.take(file.bytes).read_to_end(content).map_err(broken)?;
        }
    }
    for (file, content) in package.files().into_iter().zip(&contents) {
        let found = hex(&Sha256::digest(content));
        if found != file.sha256 {
            return Err(format!("the SHA-256 of its {} is {found}, not {}", file.name, file.sha256));
        }
    }
    Ok(contents)
}

/// What the downloading thread tells the one that waits for it.
enum Message {
    /// The registry answers.
    Reached,
    Part(Vec<u8>),
    /// All that came has been told.
    End,
    Failed(Failure),
}

enum Failure {
    Status(u16),
    Other(String),
}

/// The bytes of the package, which errors say comes from `url`. A thread of its own reads them, so that one that stands still
/// is noticed.
fn download(
    url: &str,
    package: &Package,
    options: &RuntimeOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, DemoError> {
    let (sender, receiver) = mpsc::sync_channel(16);
    let (total, address) = (package.bytes, format!("{}/{}", options.registry, package.path));
    // Until the first answer, the limits are those of the agent: one for the connection, one for the answer.
    let first_limit = connect_timeout(options) * 3;
    let agent = agent(options)?;
    thread::spawn(move || {
        let last = read(&agent, &address, &sender).map_or_else(Message::Failed, |()| Message::End);
        // Nobody listens any more once the waiting thread has given up.
        let _ = sender.send(last);
    });
    progress(Progress { received: 0, total });
    let mut content = Vec::new();
    let mut reached = false;
    loop {
        let received = content.len() as u64;
        let url = url.to_owned();
        let limit = if reached { options.stall_timeout } else { first_limit };
        match receiver.recv_timeout(limit) {
            Ok(Message::Reached) => reached = true,
            Ok(Message::Part(part)) => {
                content.extend(part);
                let received = content.len() as u64;
                if received > total {
                    let problem = format!("it has more than {total} bytes");
                    return Err(DemoError::OtherPackage { url, problem });
                }
                progress(Progress { received, total });
            }
            Ok(Message::End) if received < total => {
                let cause = "the connection was closed".to_owned();
                return Err(DemoError::Cut { url, received, total, cause });
            }
            Ok(Message::End) => return Ok(content),
            Ok(Message::Failed(Failure::Status(status))) => return Err(DemoError::Status { url, status }),
            Ok(Message::Failed(Failure::Other(cause))) if reached => {
                return Err(DemoError::Cut { url, received, total, cause });
            }
            Ok(Message::Failed(Failure::Other(cause))) => return Err(DemoError::Unreachable { url, cause }),
            Err(RecvTimeoutError::Timeout) if reached => {
                return Err(DemoError::Stalled { url, received, total, limit });
            }
            Err(RecvTimeoutError::Timeout) => {
                let cause = format!("no answer within {} s", limit.as_secs_f32());
                return Err(DemoError::Unreachable { url, cause });
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(DemoError::Unreachable { url, cause: "the download ended".to_owned() });
            }
        }
    }
}

fn agent(options: &RuntimeOptions) -> Result<Agent, DemoError> {
    let roots = match &options.certificates {
        Some(path) => certificates(path)?,
        None => RootCerts::WebPki,
    };
    let config = Agent::config_builder()
        .timeout_connect(Some(connect_timeout(options)))
        .timeout_recv_response(Some(connect_timeout(options)))
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent(concat!("taper/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().into())
}

/// A time that can be added to any: for ever is a day.
fn connect_timeout(options: &RuntimeOptions) -> Duration {
    options.connect_timeout.min(Duration::from_secs(24 * 60 * 60))
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> Result<RootCerts, DemoError> {
    let text = fs::read(path).map_err(|cause| DemoError::Read { path: path.to_owned(), cause })?;
    let found: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match found.is_empty() {
        true => Err(DemoError::Certificates { path: path.to_owned() }),
        false => Ok(RootCerts::from(found)),
    }
}

/// Asks for `url` and sends what comes, part by part.
fn read(agent: &Agent, url: &str, sender: &SyncSender<Message>) -> Result<(), Failure> {
    let response = agent.get(url).call().map_err(|error| Failure::Other(error.to_string()))?;
    if !response.status().is_success() {
        return Err(Failure::Status(response.status().as_u16()));
    }
    // The other end is gone only when the waiting thread has given up.
    let gone = |_| Failure::Other("nobody waits for it".to_owned());
    sender.send(Message::Reached).map_err(gone)?;
    let mut body = response.into_body().into_reader();
    let mut part = vec![0; 1 << 16];
    loop {
        match body.read(&mut part).map_err(|error| Failure::Other(error.to_string()))? {
            0 => return Ok(()),
            count => sender.send(Message::Part(part[..count].to_vec())).map_err(gone)?,
        }
    }
}
