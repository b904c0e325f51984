//! [`fetch`]: the cache, or a download under watch.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use hf_hub::{Cache, Repo, RepoType};

use super::download::{Job, Message};
use super::{HubError, HubOptions, Progress};

/// The paths of `files` in the cache, when it has all of them; no network is used.
///
/// `repository` is a dataset's name (`owner/name`), `revision` a branch, a tag or a commit.
#[must_use]
pub fn cached(
    repository: &str,
    revision: &str,
    files: &[&str],
    options: &HubOptions,
) -> Option<Vec<PathBuf>> {
    check(revision, options).ok()?;
    let repo = repo(repository, revision);
    files.iter().map(|file| cached_file(&repo, file, options)).collect()
}

/// The paths of `files` in the cache, downloaded where they are not yet there.
///
/// `progress` is called for each part that arrives. When the Hub does not answer, or a download stands still,
/// this gives up within the time limits of `options`; a file that came incomplete is not kept as if it were
/// whole, but a download that broke off goes on from there the next time.
///
/// # Errors
/// [`HubError`]; [`HubError::is_unreachable`] tells whether the Hub as such is out of reach.
pub fn fetch(
    repository: &str,
    revision: &str,
    files: &[&str],
    options: &HubOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, HubError> {
    check(revision, options)?;
    let repo = repo(repository, revision);
    let found: Vec<_> = files.iter().map(|file| cached_file(&repo, file, options)).collect();
    let missing: Vec<String> =
        files.iter().zip(&found).filter(|(_, path)| path.is_none()).map(|(&file, _)| file.into()).collect();
    let mut fetched = match missing.first() {
        None => Vec::new(),
        Some(file) if options.offline => {
            return Err(HubError::Offline { file: file.clone(), cache: options.cache.clone() });
        }
        Some(_) => download(repo, missing, options, progress)?,
    }
    .into_iter();
    Ok(found.into_iter().filter_map(|path| path.or_else(|| fetched.next())).collect())
}

fn repo(repository: &str, revision: &str) -> Repo {
    Repo::with_revision(repository.to_owned(), RepoType::Dataset, revision.to_owned())
}

/// Addresses and paths are built from these: so they must be plain.
fn check(revision: &str, options: &HubOptions) -> Result<(), HubError> {
    let refuse =
        |option, value: &str, problem| Err(HubError::Option { option, value: value.into(), problem });
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if revision.is_empty()
        || !revision.chars().all(plain)
        || revision.split('/').any(|part| part.is_empty() || part.starts_with('.'))
    {
        return refuse("the revision", revision, "is no branch, tag or commit; `main` is the usual one");
    }
    let host = options.endpoint.strip_prefix("https://").or_else(|| options.endpoint.strip_prefix("http://"));
    let plain_host = |host: &str| !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic());
    if !host.is_some_and(plain_host) {
        return refuse(
            "the endpoint",
            &options.endpoint,
            "is no address; set HF_ENDPOINT to one like https://huggingface.co",
        );
    }
    Ok(())
}

fn cached_file(repo: &Repo, file: &str, options: &HubOptions) -> Option<PathBuf> {
    let cache = Cache::new(options.cache.clone()).repo(repo.clone());
    cache.get(file).or_else(|| {
        // Python's library keeps no reference for a commit, only its folder.
        Some(cache.pointer_path(repo.revision()).join(file)).filter(|path| path.exists())
    })
}

/// Runs the download on a thread of its own, as the client has no time limit, and watches it.
///
/// A thread that is given up cannot be stopped; it ends by itself or with the program, checks what it has got
/// as if it were still awaited, and so leaves nothing broken behind.
fn download(
    repo: Repo,
    files: Vec<String>,
    options: &HubOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, HubError> {
    let (sender, receiver) = mpsc::channel();
    let job = Job { repo, files, options: options.clone(), sender };
    thread::Builder::new()
        .name("hub-download".to_owned())
        .spawn(move || job.run())
        .map_err(|cause| HubError::Cache { path: options.cache.clone(), cause })?;
    watch(&receiver, options, progress)
}

fn watch(
    receiver: &Receiver<Message>,
    options: &HubOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, HubError> {
    let mut paths = Vec::new();
    let mut limit = options.connect_timeout;
    let mut current: Option<(String, u64, u64)> = None;
    loop {
        match receiver.recv_timeout(limit) {
            Ok(Message::Reached) => limit = options.stall_timeout,
            Ok(Message::Begun { file, total }) => {
                progress(Progress { file: &file, received: 0, total });
                current = Some((file, 0, total));
            }
            Ok(Message::Received(bytes)) => {
                if let Some((file, received, total)) = &mut current {
                    *received += bytes;
                    progress(Progress { file, received: *received, total: *total });
                }
            }
            Ok(Message::Done(path)) => {
                paths.push(path);
                current = None;
            }
            Ok(Message::Finished(result)) => return result.map(|()| paths),
            Err(RecvTimeoutError::Timeout) => return Err(gave_up(current, limit, options)),
            Err(RecvTimeoutError::Disconnected) => {
                let cause = "the download ended unexpectedly".to_owned();
                return Err(HubError::Protocol { url: options.endpoint.clone(), cause });
            }
        }
    }
}

fn gave_up(
    current: Option<(String, u64, u64)>,
    limit: std::time::Duration,
    options: &HubOptions,
) -> HubError {
    match current {
        Some((file, received, total)) => HubError::Stalled { file, received, total, limit },
        None => HubError::Unreachable {
            endpoint: options.endpoint.clone(),
            cause: format!("no answer within {} s", limit.as_secs_f32()),
        },
    }
}
