//! The download itself, over `hf-hub`, with what it does not check.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo};
use sha2::{Digest, Sha256};
use ureq::Agent;

use super::{HubError, HubOptions};
use crate::hash;

/// What the downloading thread tells the one that waits for it.
pub(super) enum Message {
    /// The Hub answers.
    Reached,
    /// A file of `total` bytes is about to come (again, after a break).
    Begun { file: String, total: u64 },
    /// So many more bytes of it are here.
    Received(u64),
    /// The file is whole, and here.
    Done(PathBuf),
    /// All files are here, or the first that is not.
    Finished(Result<(), HubError>),
}

/// Attempts at one file: the second goes on where the first broke off, or starts anew when the first left a
/// file that cannot be continued.
const ATTEMPTS: usize = 2;

/// The files to download, and whom to tell.
pub(super) struct Job {
    pub(super) repo: Repo,
    pub(super) files: Vec<String>,
    pub(super) options: HubOptions,
    pub(super) sender: Sender<Message>,
}

impl Job {
    pub(super) fn run(self) {
        let result = self.download_all();
        self.send(Message::Finished(result));
    }

    /// Nobody listens any more once the waiting thread has given up; that is no error here.
    fn send(&self, message: Message) {
        let _ = self.sender.send(message);
    }

    fn download_all(&self) -> Result<(), HubError> {
        let Some(first) = self.files.first() else { return Ok(()) };
        let api = self.api()?;
        let repo = api.repo(self.repo.clone());
        self.probe(&repo.url(first))?;
        self.send(Message::Reached);
        for file in &self.files {
            let path = self.download(&api, &repo, file)?;
            self.send(Message::Done(path));
        }
        Ok(())
    }

    fn api(&self) -> Result<Api, HubError> {
        ApiBuilder::from_cache(Cache::new(self.options.cache.clone()))
            .with_endpoint(self.options.endpoint.clone())
            .with_token(self.options.token.clone())
            .with_progress(false)
            .with_user_agent("taper", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|cause| self.unreachable(cause.to_string()))
    }

    /// Asks for the file's first byte, with the time limit that `hf-hub`'s own client lacks.
    fn probe(&self, url: &str) -> Result<(), HubError> {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(self.options.connect_timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent.get(url).header("Range", "bytes=0-0");
        if let Some(token) = &self.options.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|cause| self.unreachable(cause.to_string()))?;
        match response.status().as_u16() {
            200..=399 => Ok(()),
            status => Err(HubError::from_status(status, url, self.repo.revision())),
        }
    }

    fn unreachable(&self, cause: String) -> HubError {
        HubError::Unreachable { endpoint: self.options.endpoint.clone(), cause }
    }

    fn download(&self, api: &Api, repo: &ApiRepo, file: &str) -> Result<PathBuf, HubError> {
        let url = repo.url(file);
        let mut received = 0;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let metadata = api.metadata(&url).map_err(|error| self.explain(error, file, &url, 0, 0))?;
            let (etag, size) = (metadata.etag(), metadata.size() as u64);
            if etag.is_empty() || etag.contains(['/', '\\']) || etag.starts_with('.') {
                // It becomes a file name.
                return Err(HubError::Protocol { url, cause: format!("the ETag is {etag:?}") });
            }
            let blob = Cache::new(self.options.cache.clone()).repo(self.repo.clone()).blob_path(etag);
            let reporter = Reporter { sender: &self.sender, file, received: &mut received };
            let error = match repo.download_with_progress(file, reporter) {
                Ok(path) => {
                    match whole(&path, &blob, size, file).and_then(|()| same(&path, &blob, etag, file)) {
                        Ok(()) => return Ok(path),
                        Err(error) => error,
                    }
                }
                Err(error) => {
                    if cannot_resume(&error) {
                        remove(&blob.with_extension("part"));
                    }
                    self.explain(error, file, &url, received, size)
                }
            };
            let again = matches!(
                error,
                HubError::Interrupted { .. } | HubError::Size { .. } | HubError::Status { status: 416, .. }
            );
            if attempt == ATTEMPTS || !again {
                return Err(error);
            }
        }
    }

    /// What an error of `hf-hub` means to the user.
    fn explain(&self, error: ApiError, file: &str, url: &str, received: u64, total: u64) -> HubError {
        let lost = |cause: String| match received {
            0 => self.unreachable(cause),
            _ => HubError::Interrupted { file: file.to_owned(), received, total, cause },
        };
        match error {
            ApiError::RequestError(cause) => match *cause {
                ureq::Error::StatusCode(status) => HubError::from_status(status, url, self.repo.revision()),
                other => lost(other.to_string()),
            },
            ApiError::IoError(cause) if from_network(&cause) => lost(cause.to_string()),
            ApiError::IoError(cause) => HubError::Cache { path: self.options.cache.clone(), cause },
            ApiError::LockAcquisition(path) => HubError::Locked { path },
            ApiError::InvalidResume => {
                HubError::Size { file: file.to_owned(), expected: total, found: received }
            }
            other => HubError::Protocol { url: url.to_owned(), cause: other.to_string() },
        }
    }
}

/// Deletes a file that has not the announced size: `hf-hub` keeps whatever came before the connection was
/// closed, and would take it from the cache for ever after.
fn whole(path: &Path, blob: &Path, expected: u64, file: &str) -> Result<(), HubError> {
    let found = fs::metadata(path).map_err(|cause| HubError::Cache { path: path.to_owned(), cause })?.len();
    if found == expected {
        return Ok(());
    }
    remove(path);
    remove(blob);
    Err(HubError::Size { file: file.to_owned(), expected, found })
}

/// Deletes a large file whose SHA-256 is not the one that the Hub announced: its ETag is that, as Git LFS has it. Small files have
/// another, which says nothing of their bytes alone.
fn same(path: &Path, blob: &Path, etag: &str, file: &str) -> Result<(), HubError> {
    if etag.len() != 64 || !etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let refuse = |cause| HubError::Cache { path: path.to_owned(), cause };
    let mut hasher = Sha256::new();
    let mut reader = io::BufReader::with_capacity(1 << 16, fs::File::open(path).map_err(refuse)?);
    loop {
        let part = reader.fill_buf().map_err(refuse)?;
        if part.is_empty() {
            break;
        }
        hasher.update(part);
        let len = part.len();
        reader.consume(len);
    }
    let found = hash::hex(&hasher.finalize());
    if found == etag.to_ascii_lowercase() {
        return Ok(());
    }
    remove(path);
    remove(blob);
    Err(HubError::Hash { file: file.to_owned(), expected: etag.to_owned(), found })
}

/// Whether the part that is on disk is no beginning of the file: longer than it, or as long.
fn cannot_resume(error: &ApiError) -> bool {
    match error {
        ApiError::InvalidResume => true,
        ApiError::RequestError(cause) => matches!(**cause, ureq::Error::StatusCode(416)),
        _ => false,
    }
}

/// The file may be gone already, and what cannot be deleted is found out by its hash later on.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// `hf-hub` reports a broken connection and a full disk alike.
fn from_network(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    error.get_ref().is_some_and(|inner| inner.is::<ureq::Error>())
        || matches!(
            error.kind(),
            Kind::UnexpectedEof
                | Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe
                | Kind::NotConnected
                | Kind::TimedOut
        )
}

/// Passes `hf-hub`'s progress on.
struct Reporter<'a> {
    sender: &'a Sender<Message>,
    file: &'a str,
    received: &'a mut u64,
}

impl Progress for Reporter<'_> {
    fn init(&mut self, size: usize, _: &str) {
        *self.received = 0;
        let _ = self.sender.send(Message::Begun { file: self.file.to_owned(), total: size as u64 });
    }

    fn update(&mut self, size: usize) {
        if size > 0 {
            *self.received += size as u64;
            let _ = self.sender.send(Message::Received(size as u64));
        }
    }

    fn finish(&mut self) {}
}
