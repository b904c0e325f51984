//! Files of a dataset repository on the Hugging Face Hub, downloaded once and then read from its cache.
//!
//! The cache is the one that all of Hugging Face's libraries share. What the `hf-hub` crate lacks is added
//! here: a switch for working offline, a limit on the time until the Hub answers and on the time a download
//! may stand still, and a check that a downloaded file is whole.
//!
//! ```no_run
//! use taper_data::hub::{self, HubOptions};
//!
//! let files = ["mnist/train-00000-of-00001.parquet"];
//! let paths = hub::fetch("ylecun/mnist", "main", &files, &HubOptions::from_env(), &mut |progress| {
//!     eprintln!("{}: {} of {} bytes", progress.file, progress.received, progress.total);
//! })?;
//! # Ok::<(), hub::HubError>(())
//! ```

#[cfg(feature = "hub")]
mod download;
mod error;
#[cfg(feature = "hub")]
mod fetch;
mod options;

pub use error::HubError;
#[cfg(feature = "hub")]
pub use fetch::{cached, fetch};
pub use options::HubOptions;

/// How far the download of one file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file, as the repository names it.
    pub file: &'a str,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes in all.
    pub total: u64,
}

#[cfg(not(feature = "hub"))]
mod absent {
    use std::path::PathBuf;

    use super::{HubError, HubOptions, Progress};

    /// Finds nothing, as the feature `hub` is off.
    #[must_use]
    pub fn cached(_: &str, _: &str, _: &[&str], _: &HubOptions) -> Option<Vec<PathBuf>> {
        None
    }

    /// Always fails, as the feature `hub` is off.
    ///
    /// # Errors
    /// [`HubError::Disabled`].
    pub fn fetch(
        _: &str,
        _: &str,
        _: &[&str],
        _: &HubOptions,
        _: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<PathBuf>, HubError> {
        Err(HubError::Disabled)
    }
}
#[cfg(not(feature = "hub"))]
pub use absent::{cached, fetch};
