//! Writes files so that a reader sees the old file or the whole new one, never half of it.
//!
//! Everything Taper leaves on disk goes through [`write_atomic`], or [`write_together`] for several files: the bytes go to
//! a temporary file beside the target, are synced to the disk, and the temporary file is renamed over the target. A crash, a full
//! disk or Ctrl-C leaves the earlier file as it was.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("metrics.json");
//! taper_files::write_atomic(&path, |file| file.write_all(b"{}"))?;
//! assert_eq!(std::fs::read(&path)?, b"{}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod regular;
mod together;

pub use regular::read_regular;
pub use together::write_together;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub use tempfile::TempDir;

/// What the names of temporary files and folders begin with.
const TEMPORARY: &str = ".taper-";

/// A file or folder that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("cannot write {}: {cause}; {}", path.display(), remedy(cause))]
pub struct WriteError {
    /// The file or folder that was to be written.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub cause: io::Error,
}

impl WriteError {
    /// An error about `path`.
    pub fn new(path: &Path, cause: io::Error) -> Self {
        Self { path: path.to_owned(), cause }
    }

    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| Self::new(path, cause)
    }
}

/// What the user can do about it.
fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder you may write to"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on that disk",
        io::ErrorKind::FileTooLarge => {
            "raise the limit on the size of files (ulimit -f), or choose another disk"
        }
        io::ErrorKind::InvalidFilename => "choose another name",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a folder is needed: choose another path"
        }
        _ => "check that the path is right and the disk is writable",
    }
}

/// Writes `path` in one step: temporary file beside it, `write`, sync, rename.
///
/// The parent folder must exist (see [`create_folder`]). When `write` or the disk fails, the temporary file
/// is deleted and an earlier file at `path` stays untouched.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let folder = parent(path);
    let run = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY).suffix(".tmp");
        #[cfg(unix)]
        {
            // `tempfile` asks for 0600; a written file should get what the user's umask leaves of 0666.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(folder)?;
        let mut buffered = BufWriter::new(temporary.as_file());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    run().map_err(WriteError::at(path))
}

/// Creates `path` and the folders above it, if they do not stand yet.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
pub fn create_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(WriteError::at(path))
}

/// As [`create_folder`], for this user's eyes alone where the system has such permissions: for copies of what may be private.
/// A folder that stands already stays as it is.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
pub fn create_private_folder(path: &Path) -> Result<(), WriteError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(WriteError::at(path))
}

/// Proves that the folder `path` can be created and written to, by doing so: so that a training run fails before its
/// first step and not after its last. Folders that were not there are deleted again.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    let made: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    create_folder(path)?;
    let probe = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).suffix(".tmp").tempfile_in(path)?;
        file.write_all(b"taper")?;
        file.close()?;
        made.iter().try_for_each(fs::remove_dir)
    };
    probe().map_err(WriteError::at(path))
}

/// A new folder inside `folder`, deleted with all that is in it when the value is dropped: the place to write several
/// files that are to appear together.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
pub fn staging_folder(folder: &Path) -> Result<TempDir, WriteError> {
    create_folder(folder)?;
    tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder).map_err(WriteError::at(folder))
}

/// Deletes what a process that was killed left in `folder`: files half written, and staging folders. No other process may be
/// writing there. A folder that is not there has nothing in it.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join(".taper-Ab3xYz.tmp"), b"half")?;
/// std::fs::write(folder.path().join("metrics.json"), b"{}")?;
/// taper_files::remove_leftovers(folder.path())?;
/// let names = std::fs::read_dir(folder.path())?.map(|entry| Ok(entry?.file_name()));
/// assert_eq!(names.collect::<std::io::Result<Vec<_>>>()?, ["metrics.json"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn remove_leftovers(folder: &Path) -> Result<(), WriteError> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(WriteError::at(folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(WriteError::at(folder))?;
        if is_leftover(&entry.file_name()) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(WriteError::at(&path))?;
        }
    }
    Ok(())
}

/// Whether a file or folder of this name is what [`remove_leftovers`] deletes.
pub fn is_leftover(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY)
}

/// Moves a file that was written in a [`staging_folder`] into its place, over what stands there.
///
/// # Errors
/// [`WriteError`] with the path and the cause.
pub fn move_into_place(from: &Path, to: &Path) -> Result<(), WriteError> {
    fs::rename(from, to).and_then(|()| sync_folder(parent(to))).map_err(WriteError::at(to))
}

/// The folder that holds `path`; `.` for a bare file name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A rename is durable only once its folder is synced too.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        write_atomic(&path, |file| file.write_all(b"old")).unwrap();
        let error = write_atomic(&path, |file| {
            file.write_all(b"half of the ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("history.csv"), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere").join("model.onnx");
        let error = write_atomic(&path, |file| file.write_all(b"x")).unwrap_err();
        assert!(error.to_string().contains("model.onnx"), "{error}");
    }

    #[test]
    fn a_folder_that_was_only_probed_is_gone_again() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("runs/run")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn staged_files_appear_when_they_are_moved() {
        let folder = tempfile::tempdir().unwrap();
        let staging = staging_folder(&folder.path().join("run")).unwrap();
        fs::write(staging.path().join("a"), "new").unwrap();
        move_into_place(&staging.path().join("a"), &folder.path().join("run/a")).unwrap();
        drop(staging);
        assert_eq!(fs::read_dir(folder.path().join("run")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, b"a file").unwrap();
        let error = check_writable(&path.join("run")).unwrap_err();
        assert!(error.to_string().contains("run"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_private_folder_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/entry");
        create_private_folder(&path).unwrap();
        create_private_folder(&path).unwrap();
        for made in [&path, path.parent().unwrap()] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_is_readable_by_others_as_the_umask_says() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (plain, atomic) = (folder.path().join("plain"), folder.path().join("atomic"));
        fs::write(&plain, b"x").unwrap();
        write_atomic(&atomic, |file| file.write_all(b"x")).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&plain), mode(&atomic));
    }
}
