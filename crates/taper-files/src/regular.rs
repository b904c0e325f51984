//! Reading what is a file, and nothing else.

use std::fs;
use std::io;
use std::path::Path;

/// The bytes of a regular file. A named pipe or a device is refused at once: who opens a pipe waits until something is
/// written to it, which may never be.
///
/// # Errors
/// What the operating system said, or that it is no regular file.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("model.onnx");
/// std::fs::write(&path, b"onnx")?;
/// assert_eq!(taper_files::read_regular(&path)?, b"onnx");
/// assert!(taper_files::read_regular(folder.path()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    // That it is a folder the system says better.
    if kind.is_file() || kind.is_dir() {
        return fs::read(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device, and no file"))
}
