//! Finding the classes of a folder, and the files of each.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::{BadImage, ImageFolderError};

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    Validation,
    Test,
}

const TRAIN: &str = "train";
/// The parts that need not be there.
const OTHERS: [(&str, Part); 2] = [("val", Part::Validation), ("test", Part::Test)];

/// What systems leave behind in folders, beside all that begins with a dot.
const LITTER: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// The most classes: a label is a byte.
const MOST: usize = 256;

/// A file that should be an image.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) part: Part,
    pub(super) label: u8,
}

/// Everything below a folder.
pub(super) struct Found {
    pub(super) classes: Vec<String>,
    /// Part by part, class by class, in the order of their names.
    pub(super) files: Vec<File>,
    /// What can be no image, whatever it holds.
    pub(super) odd: Vec<BadImage>,
}

/// One entry of a folder; links are followed.
struct Entry {
    path: PathBuf,
    /// Whether it is a folder; nothing for a link that leads nowhere and for what is neither a file nor a folder.
    is_folder: Option<bool>,
}

impl Entry {
    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

/// Whether there is a folder with an image's name ending somewhere below, as a folder of images has it.
pub(crate) fn is_image_folder(folder: &Path) -> bool {
    let folders =
        |folder: &Path| list(folder).unwrap_or_default().into_iter().filter(|it| it.is_folder == Some(true));
    let has_files = |folder: &Path| {
        list(folder).unwrap_or_default().iter().any(|it| {
            let end = it.path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
            it.is_folder == Some(false) && ["png", "jpg", "jpeg", "webp"].contains(&end.as_str())
        })
    };
    folders(folder)
        .any(|class| has_files(&class.path) || folders(&class.path).any(|class| has_files(&class.path)))
}

/// Lists `folder` in either of its layouts.
pub(super) fn scan(folder: &Path) -> Result<Found, ImageFolderError> {
    let entries = list(folder)?;
    let folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder == Some(true)).collect();
    let named = |name: &str| folders.iter().find(|entry| entry.name() == name).copied();
    let refuse = |problem: String| ImageFolderError::Layout { folder: folder.to_owned(), problem };
    let Some(train) = named(TRAIN).filter(|train| has_folders(&train.path)) else {
        if named(TRAIN).is_none()
            && let Some((part, _)) =
                OTHERS.iter().find(|(name, _)| named(name).is_some_and(|it| has_folders(&it.path)))
        {
            return Err(refuse(format!("there is a folder `{part}` with classes, but no `train`; add it")));
        }
        let mut found = Found { classes: classes(folder, &folders)?, files: Vec::new(), odd: Vec::new() };
        for (label, class) in folders.iter().enumerate() {
            found.class(&class.path, Part::Train, label)?;
        }
        return Ok(found);
    };
    let is_part =
        |entry: &&&Entry| entry.name() == TRAIN || OTHERS.iter().any(|(name, _)| entry.name() == *name);
    if let Some(other) = folders.iter().find(|entry| !is_part(entry)) {
        return Err(refuse(format!(
            "beside `train` there is a folder `{}`; the parts are called `train`, `val` and `test`, and classes lie in them",
            other.name().display()
        )));
    }
    let entries = list(&train.path)?;
    let folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder == Some(true)).collect();
    let mut found = Found { classes: classes(&train.path, &folders)?, files: Vec::new(), odd: Vec::new() };
    found.stray(&entries);
    for (label, class) in folders.iter().enumerate() {
        found.class(&class.path, Part::Train, label)?;
    }
    for (name, part) in OTHERS {
        if let Some(other) = named(name) {
            found.other(&other.path, part)?;
        }
    }
    Ok(found)
}

impl Found {
    /// The classes of a part beside `train`.
    fn other(&mut self, folder: &Path, part: Part) -> Result<(), ImageFolderError> {
        let entries = list(folder)?;
        self.stray(&entries);
        let before = self.files.len();
        for class in entries.iter().filter(|entry| entry.is_folder == Some(true)) {
            let name = class_name(&class.path)?;
            let label = self.classes.iter().position(|known| *known == name);
            let unknown = || ImageFolderError::UnknownClass { path: class.path.clone() };
            self.class(&class.path, part, label.ok_or_else(unknown)?)?;
        }
        if self.files.len() == before {
            let problem = "there is no image of a class in it; add some, or remove the folder".to_owned();
            return Err(ImageFolderError::Layout { folder: folder.to_owned(), problem });
        }
        Ok(())
    }

    /// Files of a part that are of no class.
    fn stray(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| entry.is_folder != Some(true)) {
            let reason = "it lies in the folder of no class".to_owned();
            self.odd.push(BadImage { path: entry.path.clone(), reason });
        }
    }

    fn class(&mut self, folder: &Path, part: Part, label: usize) -> Result<(), ImageFolderError> {
        for Entry { path, is_folder } in list(folder)? {
            let reason = match is_folder {
                Some(false) => {
                    // There are at most 256 classes.
                    self.files.push(File { path, part, label: label as u8 });
                    continue;
                }
                Some(true) => "it is a folder; the images of a class lie in its folder directly",
                None => "it is neither a file nor a folder, or a link that leads nowhere",
            };
            self.odd.push(BadImage { path, reason: reason.to_owned() });
        }
        Ok(())
    }
}

/// The names of the classes, which are those of `folders`.
fn classes(folder: &Path, folders: &[&Entry]) -> Result<Vec<String>, ImageFolderError> {
    if !(2..=MOST).contains(&folders.len()) {
        return Err(ImageFolderError::Classes { folder: folder.to_owned(), found: folders.len() });
    }
    folders.iter().map(|entry| class_name(&entry.path)).collect()
}

fn class_name(path: &Path) -> Result<String, ImageFolderError> {
    let name = path.file_name().and_then(OsStr::to_str).filter(|name| !name.chars().any(char::is_control));
    name.map(str::to_owned).ok_or_else(|| ImageFolderError::ClassName { path: path.to_owned() })
}

fn has_folders(folder: &Path) -> bool {
    list(folder).is_ok_and(|entries| entries.iter().any(|entry| entry.is_folder == Some(true)))
}

/// What is in a folder, in the order of the names' bytes, whatever the order of the system.
fn list(folder: &Path) -> Result<Vec<Entry>, ImageFolderError> {
    let refuse = |cause| ImageFolderError::Folder { folder: folder.to_owned(), cause };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") || LITTER.iter().any(|litter| name == *litter) {
            continue;
        }
        let metadata = fs::metadata(&path).ok();
        let is_folder = metadata.filter(|it| it.is_dir() || it.is_file()).map(|it| it.is_dir());
        entries.push(Entry { path, is_folder });
    }
    entries.sort_by(|a, b| a.name().as_encoded_bytes().cmp(b.name().as_encoded_bytes()));
    Ok(entries)
}
