//! One process at a time writes into the folder of a run.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use taper_files::{WriteError, create_folder, remove_leftovers};

use super::RunFolder;
use crate::error::Error;

/// For as long as it lives no other process gets one for the same folder. It is the system's, and gone with its process,
/// in whatever way that ends.
#[derive(Debug)]
#[must_use = "the folder is locked for as long as this lives"]
pub struct RunLock(#[expect(dead_code, reason = "it is closed when it is dropped")] File);

impl RunFolder {
    /// Keeps every other process from writing into the folder, which is made if it is not there, and deletes what one that was
    /// killed left half written. [`train`](crate::pipeline::train) takes it by itself, and the run that it returns has it; who
    /// scores, exports or reports a run at another time takes it before.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it, or a folder that cannot be written.
    ///
    /// ```no_run
    /// use taper::{RunFolder, pipeline};
    ///
    /// let folder = RunFolder::new("runs/mnist-lenet5");
    /// let data = pipeline::load_data(&folder.config()?.data, &mut |_| ())?;
    /// let _lock = folder.lock()?;
    /// pipeline::evaluate(&folder, &data)?;
    /// # Ok::<(), taper::Error>(())
    /// ```
    pub fn lock(&self) -> Result<RunLock, Error> {
        create_folder(&self.0)?;
        let lock = self.lock_alone()?;
        remove_leftovers(&self.0)?;
        remove_leftovers(&self.checkpoints())?;
        Ok(lock)
    }

    /// The lock of a folder that is there, with all that lies in it left alone: a process on another machine, which the lock may
    /// not keep out, may be writing.
    ///
    /// # Errors
    /// As [`RunFolder::lock`].
    pub fn lock_alone(&self) -> Result<RunLock, Error> {
        let refused = |cause| Error::Write(WriteError::new(&self.0, cause));
        let file = to_lock(&self.0).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: self.0.clone() }),
            Err(TryLockError::Error(cause)) => Err(refused(cause)),
        }
    }

    /// [`RunFolder::lock`] where the file `path`, which is to be written, lies in the folder of a run, finished or not: whoever
    /// has the lock may delete what is half written there. Elsewhere nothing is locked; but while another process has the lock of
    /// the folder, it is that of a run that has not saved anything yet.
    ///
    /// # Errors
    /// As [`RunFolder::lock`].
    pub fn lock_around(path: &Path) -> Result<Option<RunLock>, Error> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = Self::new(parent.unwrap_or(Path::new(".")));
        if folder.metrics().is_ok() || folder.is_unfinished().unwrap_or(true) {
            return folder.lock().map(Some);
        }
        // Others that only look do not keep each other out. What cannot be opened will be told when the file is written.
        match to_look_at(&folder.0).map(|file| file.try_lock_shared()) {
            Ok(Err(TryLockError::WouldBlock)) => Err(Error::Locked { path: folder.0 }),
            _ => Ok(None),
        }
    }
}

/// What stands for a folder when it is locked: itself.
#[cfg(unix)]
fn to_lock(folder: &Path) -> io::Result<File> {
    File::open(folder)
}

/// As [`to_lock`], but nothing is made.
#[cfg(unix)]
fn to_look_at(folder: &Path) -> io::Result<File> {
    to_lock(folder)
}

/// As [`to_lock`], but nothing is made.
#[cfg(not(unix))]
fn to_look_at(folder: &Path) -> io::Result<File> {
    File::open(folder.join(".lock"))
}

/// What stands for a folder when it is locked. The file stays: to delete it while another process opens it would give two of
/// them a lock.
#[cfg(not(unix))]
fn to_lock(folder: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(folder.join(".lock"))
}
