//! Why a checkpoint cannot be written, read or gone on from.

use std::path::PathBuf;

use taper_files::WriteError;

/// A checkpoint that cannot be written, read or gone on from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The disk refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Its header cannot be made.
    #[error("the training run has no safetensors form: {cause}; use a network with fewer layers")]
    Encode {
        /// What the `safetensors` crate said.
        cause: String,
    },
    /// It does not hold what it should.
    #[error("the checkpoint cannot be read: {cause}; use the program and the network that it was made with")]
    Decode {
        /// What is wrong with it.
        cause: String,
    },
    /// It cannot be read from the disk.
    #[error("cannot read {}: {cause}; check the path", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// It was made by a run with other settings.
    #[error(
        "{}: `{setting}` was {was} when this checkpoint was made and is {is} now; go on with the settings it was made \
         with, or train anew into another folder", path.display()
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// The first setting that differs.
        setting: String,
        /// What it was.
        was: String,
        /// What it is.
        is: String,
    },
    /// Its parts do not belong together.
    #[error("the checkpoint cannot be gone on from: {reason}; train anew into another folder")]
    Inconsistent {
        /// What does not fit.
        reason: &'static str,
    },
}
