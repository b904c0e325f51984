//! A demo page as a folder: what may be replaced there, and in which order, so that a process that is killed at any time leaves
//! what the next one knows and replaces.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use taper_files::{
    TempDir, WriteError, check_writable, create_folder, is_leftover, move_into_place, remove_leftovers,
    staging_folder, write_atomic,
};

use crate::page::{Content, DESCRIPTION, Entry};
use crate::{DemoError, Page, Runtime};

/// What every `demo.json` has, and no other file is likely to.
#[derive(Serialize, Deserialize)]
struct Mark {
    taper_version: String,
    files: BTreeSet<String>,
}

impl Page {
    /// Proves that a page can be written into `folder`: before its runtime is downloaded, for example.
    ///
    /// # Errors
    /// As [`Page::write`], but for the files of the page.
    pub fn check_folder(folder: &Path) -> Result<(), DemoError> {
        if folder.is_dir() {
            earlier(folder)?;
        }
        Ok(check_writable(folder)?)
    }

    /// Writes the page with `runtime` into `folder`, for any web server, in the place of an earlier demo page. The folder is
    /// made if it is not there. The new files take their places only when all of them are on the disk. A process that is
    /// killed then leaves a page that says that it is unfinished, and can be written again.
    ///
    /// # Errors
    /// [`DemoError::Foreign`] if the folder holds anything but a demo page; [`DemoError::Write`] or [`DemoError::Read`]
    /// naming the file, with what stood there as it was.
    ///
    /// ```no_run
    /// # fn example(page: taper_demo::Page) -> Result<(), taper_demo::DemoError> {
    /// use taper_demo::{Page, Runtime, RuntimeOptions};
    ///
    /// Page::check_folder("site".as_ref())?;
    /// let runtime = Runtime::get(&RuntimeOptions::from_env(), &mut |_| ())?;
    /// page.write("site".as_ref(), &runtime)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn write(&self, folder: &Path, runtime: &Runtime) -> Result<(), DemoError> {
        let was_there = folder.is_dir();
        let written = replace(folder, &self.entries(runtime));
        if written.is_err() && !was_there {
            // Not empty, or never made: then it stays as it is.
            let _ = fs::remove_dir(folder);
        }
        written
    }
}

fn replace(folder: &Path, entries: &[Entry]) -> Result<(), DemoError> {
    let staging = begin(folder, entries)?;
    entries.iter().try_for_each(|entry| take_place(entry, staging.path(), folder))
}

/// Writes all files beside their places, then makes room for them; the folder that they are in.
pub(crate) fn begin(folder: &Path, entries: &[Entry]) -> Result<TempDir, DemoError> {
    create_folder(folder)?;
    let earlier = earlier(folder)?;
    remove_leftovers(folder)?;
    let staging = staging_folder(folder)?;
    for entry in entries {
        stage(entry, &staging.path().join(&entry.path), &folder.join(&entry.path))?;
    }
    let new: BTreeSet<String> = entries.iter().map(|entry| entry.path.clone()).collect();
    mark_unfinished(folder, &earlier | &new)?;
    for path in earlier.difference(&new) {
        let path = folder.join(path);
        fs::remove_file(&path).map_err(|cause| WriteError::new(&path, cause))?;
        // And its folder, if nothing is left in it.
        let _ = path.parent().map(fs::remove_dir);
    }
    Ok(staging)
}

pub(crate) fn take_place(entry: &Entry, staging: &Path, folder: &Path) -> Result<(), DemoError> {
    let path = folder.join(&entry.path);
    path.parent().map_or(Ok(()), create_folder)?;
    Ok(move_into_place(&staging.join(&entry.path), &path)?)
}

/// In the place of the earlier description, a list of all that may lie here until the new one stands.
fn mark_unfinished(folder: &Path, files: BTreeSet<String>) -> Result<(), DemoError> {
    let mark = Mark { taper_version: env!("CARGO_PKG_VERSION").to_owned(), files };
    // Strings and lists always have a JSON form.
    let text = serde_json::to_string(&mark).unwrap_or_default();
    Ok(write_atomic(&folder.join(DESCRIPTION), |out| out.write_all(text.as_bytes()))?)
}

/// The files of the page that stands in a folder, finished or not; none for an empty one.
fn earlier(folder: &Path) -> Result<BTreeSet<String>, DemoError> {
    let description = folder.join(DESCRIPTION);
    let is_file = fs::symlink_metadata(&description).is_ok_and(|found| found.is_file());
    let text = if is_file { fs::read(&description).unwrap_or_default() } else { Vec::new() };
    let mark: Option<Mark> = serde_json::from_slice(&text).ok();
    let mut found = BTreeSet::new();
    look_into(folder, "", &mark.map(|mark| mark.files).unwrap_or_default(), &mut found)?;
    Ok(found)
}

/// Gathers the files below `folder`/`below`; only those that are listed may lie there.
fn look_into(
    folder: &Path,
    below: &str,
    listed: &BTreeSet<String>,
    found: &mut BTreeSet<String>,
) -> Result<(), DemoError> {
    let place = folder.join(below);
    let unread = |cause| DemoError::Read { path: place.clone(), cause };
    for entry in fs::read_dir(&place).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if below.is_empty() && is_leftover(&entry.file_name()) {
            continue;
        }
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(unread)?;
        let inside = format!("{path}/");
        if kind.is_dir() && listed.iter().any(|file| file.starts_with(&inside)) {
            look_into(folder, &inside, listed, found)?;
        } else if kind.is_file() && listed.contains(&path) {
            found.insert(path);
        } else {
            return Err(DemoError::Foreign { path: folder.to_owned(), stranger: path });
        }
    }
    Ok(())
}

/// Writes a file of the page to `staged`; an error says whether it could not be read, or not be written to `target`, where it
/// is to go.
pub(crate) fn stage(entry: &Entry, staged: &Path, target: &Path) -> Result<(), DemoError> {
    let unwritten = |error: WriteError| WriteError::new(target, error.cause);
    staged.parent().map_or(Ok(()), create_folder).map_err(unwritten)?;
    let mut unread = None;
    let written = write_atomic(staged, |out| {
        let (reader, _) = entry.content.open().inspect_err(|cause| unread = Some(copy_of(cause)))?;
        io::copy(&mut Noting { reader, unread: &mut unread }, out).map(|_| ())
    });
    match (unread, &entry.content) {
        (Some(cause), Content::File(path)) => Err(DemoError::Read { path: path.clone(), cause }),
        _ => Ok(written.map_err(unwritten)?),
    }
}

/// A reader that keeps its error.
struct Noting<'a, R> {
    reader: R,
    unread: &'a mut Option<io::Error>,
}

impl<R: Read> Read for Noting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_passing = |cause: &io::Error| cause.kind() == io::ErrorKind::Interrupted;
        self.reader.read(buffer).inspect_err(|cause| {
            if !is_passing(cause) {
                *self.unread = Some(copy_of(cause));
            }
        })
    }
}

fn copy_of(cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), cause.to_string())
}
