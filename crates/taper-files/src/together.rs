//! Several files that change together.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{WriteError, create_folder, parent, staging_folder, sync_folder};

/// Writes several files so that a failed write leaves all as they were: the bytes go to a folder of their own inside `folder`,
/// which is deleted again, and only then does every file take its place, in the order given. Folders that are not there are
/// made; they must be on the disk of `folder`.
///
/// # Errors
/// [`WriteError`] with the path of the file and the cause.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let [page, plot] = ["report.html", "plots/loss.svg"].map(|name| folder.path().join(name));
/// taper_files::write_together(folder.path(), &[(plot.clone(), b"<svg/>".to_vec()), (page, b"<p>".to_vec())])?;
/// assert_eq!(std::fs::read(plot)?, b"<svg/>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_together(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), WriteError> {
    let staging = staging_folder(folder)?;
    let staged = |number: usize| staging.path().join(number.to_string());
    for (number, (path, bytes)) in files.iter().enumerate() {
        let write = || -> io::Result<()> {
            let mut file = File::create(staged(number))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(WriteError::at(path))?;
    }
    let folders: BTreeSet<&Path> = files.iter().map(|(path, _)| parent(path)).collect();
    folders.iter().try_for_each(|folder| create_folder(folder))?;
    // A file cannot take the place of a folder, which must be found out before the first one has taken its own.
    if let Some((path, _)) = files.iter().find(|(path, _)| path.is_dir()) {
        return Err(WriteError::new(path, io::ErrorKind::IsADirectory.into()));
    }
    for (number, (path, _)) in files.iter().enumerate() {
        fs::rename(staged(number), path).map_err(WriteError::at(path))?;
    }
    folders.iter().try_for_each(|folder| sync_folder(folder).map_err(WriteError::at(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_all_files_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["plots/a", "b"].map(|name| folder.path().join(name));
        let files = |words: &str| [&first, &second].map(|path| (path.clone(), words.as_bytes().to_vec()));
        write_together(folder.path(), &files("old")).unwrap();
        fs::remove_file(&second).unwrap();
        fs::create_dir(&second).unwrap();
        let error = write_together(folder.path(), &files("new")).unwrap_err().to_string();
        assert!(error.contains(&*second.to_string_lossy()), "{error}");
        assert_eq!(fs::read(&first).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the staging folder is left");
    }
}
