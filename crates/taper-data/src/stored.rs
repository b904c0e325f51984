//! A file of decoded images, read a piece at a time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Decoded images that cannot be read again from the file they are kept in.
#[derive(Debug, Error)]
#[non_exhaustive]
#[error(
    "the decoded images in {} cannot be read ({cause}); check that disk, and run again: a file that is damaged is made anew",
    path.display()
)]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub cause: io::Error,
}

/// A file that is open, and how long it was then. Another one that takes its place does not matter.
///
/// It is read, not mapped: a disk that fails and a file that became shorter are errors then, not signals, what was read takes no
/// memory of this process, and the system keeps in its cache what it has room for either way.
#[derive(Debug)]
pub(crate) struct Stored {
    file: File,
    path: PathBuf,
    len: usize,
}

impl Stored {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let len = usize::try_from(metadata.len()).map_err(io::Error::other)?;
        Ok(Self { file, path: path.to_owned(), len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fills `bytes` with what begins at `start`; several threads may read at once.
    pub(crate) fn read(&self, start: usize, bytes: &mut [u8]) -> Result<(), ReadError> {
        read_at(&self.file, start as u64, bytes).map_err(|cause| ReadError { path: self.path.clone(), cause })
    }

    /// So many bytes from `start` on.
    pub(crate) fn bytes<const N: usize>(&self, start: usize) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.read(start, &mut bytes).map(|()| bytes)
    }
}

#[cfg(unix)]
fn read_at(file: &File, start: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, mut start: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                start += read as u64;
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
fn read_at(_: &File, _: u64, _: &mut [u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_became_shorter_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images");
        std::fs::write(&path, b"abcdef").unwrap();
        let stored = Stored::open(&path).unwrap();
        assert_eq!((stored.len(), stored.bytes(2).unwrap()), (6, *b"cde"));
        File::options().write(true).open(&path).unwrap().set_len(4).unwrap();
        assert_eq!(stored.bytes(0).unwrap(), *b"abcd");
        let error = stored.bytes::<3>(2).unwrap_err().to_string();
        assert!(error.contains(&*path.to_string_lossy()) && error.contains("run again"), "{error}");
        assert!(Stored::open(folder.path()).is_err());
    }
}
