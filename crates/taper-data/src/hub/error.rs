//! [`HubError`]: why a file could not be had from the Hub.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why a file could not be had from the Hub.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// Offline, and the file is not in the cache.
    #[error(
        "{file} is not in the cache {}, and HF_HUB_OFFLINE forbids downloading it; unset HF_HUB_OFFLINE, or name \
         a folder that has the data with --data-dir", cache.display()
    )]
    Offline {
        /// The file.
        file: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The program was built without the feature `hub`.
    #[error(
        "this program was built without the feature `hub`; name a folder that has the data with --data-dir"
    )]
    Disabled,
    /// No connection, or no answer in time.
    #[error(
        "{endpoint} cannot be reached: {cause}; check the network, HF_ENDPOINT and the proxy variables, or name a \
         folder that has the data with --data-dir"
    )]
    Unreachable {
        /// Address of the Hub.
        endpoint: String,
        /// What went wrong.
        cause: String,
    },
    /// The Hub has a fault, or is too busy.
    #[error("{url} answers with HTTP status {status}: the Hub is out of order or busy; try again later")]
    Unavailable {
        /// The file's address.
        url: String,
        /// Status of the answer: 429 or 500 to 599.
        status: u16,
    },
    /// The download came to a stop.
    #[error(
        "the download of {file} stood still for {} s after {received} of {total} bytes; check the network and run \
         it again: it goes on from there", limit.as_secs_f32()
    )]
    Stalled {
        /// The file.
        file: String,
        /// Bytes that came.
        received: u64,
        /// Bytes in all.
        total: u64,
        /// How long nothing came.
        limit: Duration,
    },
    /// There is no such file, revision or repository.
    #[error(
        "{url} does not exist (HTTP status 404): the file was moved or there is no revision {revision:?}; name a \
         revision that has it with --revision"
    )]
    NotFound {
        /// The file's address.
        url: String,
        /// The revision asked for.
        revision: String,
    },
    /// The repository may be read with permission only.
    #[error("{url} may not be read (HTTP status {status}); put an access token that allows it in HF_TOKEN")]
    Forbidden {
        /// The file's address.
        url: String,
        /// Status of the answer: 401 or 403.
        status: u16,
    },
    /// Any other refusal.
    #[error(
        "{url} answers with HTTP status {status}, which was not expected; check HF_ENDPOINT and --revision"
    )]
    Status {
        /// The file's address.
        url: String,
        /// Status of the answer.
        status: u16,
    },
    /// The answer lacks what the Hub's answers have.
    #[error("the answer from {url} is not one of the Hub ({cause}); check HF_ENDPOINT")]
    Protocol {
        /// The file's address.
        url: String,
        /// What is missing.
        cause: String,
    },
    /// The connection broke in the middle of the file.
    #[error(
        "the download of {file} broke off after {received} of {total} bytes ({cause}); run it again: it goes on \
         from there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that came.
        received: u64,
        /// Bytes in all.
        total: u64,
        /// What went wrong.
        cause: String,
    },
    /// The file that came has not the size that was announced.
    #[error(
        "{file} came with {found} bytes instead of {expected} and was deleted; run it again, and check HF_ENDPOINT \
         if that does not help"
    )]
    Size {
        /// The file.
        file: String,
        /// The size announced.
        expected: u64,
        /// The size received.
        found: u64,
    },
    /// The file that came has not the checksum that was announced.
    #[error(
        "{file} came with the SHA-256 {found} instead of {expected} and was deleted; run it again, and check HF_ENDPOINT if that \
         does not help"
    )]
    Hash {
        /// The file.
        file: String,
        /// The checksum announced.
        expected: String,
        /// The checksum received.
        found: String,
    },
    /// The cache cannot be written.
    #[error("the cache {} cannot be written ({cause}); set HF_HOME to a folder you may write to", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Another process holds the file.
    #[error("{} is locked: another process is downloading the file; wait until it has ended", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// An option makes no address.
    #[error("{option} {value:?} {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it, and the remedy.
        problem: &'static str,
    },
}

impl HubError {
    /// Whether the Hub as such is out of reach (no network, no answer in time, out of order): then, and only
    /// then, is it right to go on with other data.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Offline { .. }
                | Self::Disabled
                | Self::Unreachable { .. }
                | Self::Unavailable { .. }
                | Self::Stalled { .. }
        )
    }

    /// What an HTTP status that is no success means.
    #[cfg(feature = "hub")]
    pub(super) fn from_status(status: u16, url: &str, revision: &str) -> Self {
        let url = url.to_owned();
        match status {
            404 => Self::NotFound { url, revision: revision.to_owned() },
            401 | 403 => Self::Forbidden { url, status },
            429 | 500..=599 => Self::Unavailable { url, status },
            _ => Self::Status { url, status },
        }
    }
}
