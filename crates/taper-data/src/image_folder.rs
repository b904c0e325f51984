//! Folders of images: `train/<class>/*.png`, as PyTorch's `ImageFolder` reads them.
//!
//! A folder is laid out in one of two ways:
//!
//! - `train/<class>/…`, with `test/<class>/…` and `val/<class>/…` or without; or
//! - `<class>/…` alone.
//!
//! Classes are the folders of the training part, in the order of their names. Where there is no `test`, a tenth of the
//! images of each class is held out as the test part, drawn from [`ImageOptions::split_seed`]; where there is no `val`, who
//! trains holds images out. A folder called `train` that holds images is a class like any other.
//!
//! Files are told by what they hold (PNG, JPEG, WebP), not by their names, and are turned as their EXIF data say. What a
//! system leaves behind (names with a dot in front, `Thumbs.db`, `desktop.ini`, `__MACOSX`) is passed over; links are
//! followed. Everything else in a class's folder that is no whole image is named in one error, or left out with
//! [`ImageOptions::skip_bad`].
//!
//! An image of another size than the wanted one is scaled by linear interpolation over the area of a pixel (`Triangle` of the
//! `image` crate) until it covers that size, and its middle is cut out. Colour becomes grey as in PIL's `convert("L")` (ITU-R 601);
//! transparency is left out, as by PIL's `convert("RGB")`.
//!
//! ```
//! use taper_data::image_folder::{self, ImageOptions};
//!
//! let folder = tempfile::tempdir()?;
//! for (class, level) in [("night", 20), ("noon", 240)] {
//!     std::fs::create_dir(folder.path().join(class))?;
//!     for number in 0..10 {
//!         let picture = image::GrayImage::from_pixel(8, 8, image::Luma([level + number]));
//!         picture.save(folder.path().join(class).join(format!("{number}.png")))?;
//!     }
//! }
//! let found = image_folder::read(folder.path(), &ImageOptions::default(), &mut |_, _| ())?;
//! assert_eq!(found.train.class_names, ["night", "noon"]);
//! assert_eq!((found.train.len(), found.test.len(), found.validation), (18, 2, None));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod decode;
mod decoded;
mod error;
mod scan;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, DatasetError};
use crate::images::Images;
pub use decode::{picture, picture_file};
use decoded::Decoded;
pub use error::{BadImage, ImageFolderError, PictureError};
pub(crate) use scan::is_image_folder;
use scan::{File, Part};

/// How the images of a folder become a dataset; what is not given comes from the images themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageOptions {
    /// Height and width; if not given, all images must have one size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// 1 for grey or 3 for colour; if not given, 3 unless all images are grey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Leave out what is no whole image.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_bad: bool,
    /// Decides which images become the test part where the folder has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub split_seed: u64,
}

fn is_zero(seed: &u64) -> bool {
    *seed == 0
}

/// What a folder of images holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImageFolder {
    /// The images to train on, class by class, in the order of their names.
    pub train: Dataset,
    /// Those of the folder `val`, if there is one.
    pub validation: Option<Dataset>,
    /// Those of the folder `test`, or a tenth of each class.
    pub test: Dataset,
    /// What was left out, in the order of the paths.
    pub skipped: Vec<BadImage>,
}

/// What [`read_cached`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheEvent {
    /// It waits for another process that decodes the same images.
    Waiting,
    /// So many images are decoded.
    Decoding {
        /// Images that are decoded.
        done: usize,
        /// Images in all.
        total: usize,
    },
}

/// Reads all images below `folder` into memory; `progress` hears how many of how many are decoded.
///
/// # Errors
/// [`ImageFolderError`]: a layout that is neither of the two, images of several sizes and no size asked for, files that are no
/// whole images (all of them in one error), classes without images.
pub fn read(
    folder: &Path,
    options: &ImageOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ImageFolder, ImageFolderError> {
    read_by(folder, options, |files| decoded::in_memory(files, options, progress))
}

/// As [`read`], but decodes into a file below the folder `cache`, from which images are read as they are wanted: they need not fit
/// into memory, and are not decoded again until a file below `folder` is added, removed, replaced or changed (by its size, times and
/// inode), or another size or number of channels is asked for, or Taper's version is another. The file takes a byte for every value.
/// One process decodes while others that want the same wait for it; `on_event` hears of either.
///
/// # Errors
/// As [`read`], and [`ImageFolderError::Cache`] for a file that cannot be written.
pub fn read_cached(
    folder: &Path,
    options: &ImageOptions,
    cache: &Path,
    on_event: &mut dyn FnMut(CacheEvent),
) -> Result<ImageFolder, ImageFolderError> {
    read_by(folder, options, |files| decoded::in_cache(folder, files, options, cache, on_event))
}

fn read_by(
    folder: &Path,
    options: &ImageOptions,
    decode: impl FnOnce(&[File]) -> Result<Decoded, ImageFolderError>,
) -> Result<ImageFolder, ImageFolderError> {
    check(options)?;
    let found = scan::scan(folder)?;
    let Decoded { images, left_out } = decode(&found.files)?;
    let mut bad = found.odd;
    let mut kept = vec![true; found.files.len()];
    for (index, reason) in left_out {
        kept[index] = false;
        bad.push(BadImage { path: found.files[index].path.clone(), reason });
    }
    bad.sort_by(|a, b| a.path.cmp(&b.path));
    if !bad.is_empty() && !options.skip_bad {
        return Err(ImageFolderError::Bad { folder: folder.to_owned(), bad });
    }
    let had = |part: Part| found.files.iter().any(|file| file.part == part);
    let had = [had(Part::Validation), had(Part::Test)];
    let files = found.files.into_iter().zip(kept).filter_map(|(file, kept)| kept.then_some(file)).collect();
    let all = Whole { folder, classes: found.classes, files, images, had };
    let (train, validation, test) = all.parts(options.split_seed)?;
    Ok(ImageFolder { train, validation, test, skipped: bad })
}

fn check(options: &ImageOptions) -> Result<(), ImageFolderError> {
    if let Some(channels) = options.channels.filter(|channels| ![1, 3].contains(channels)) {
        return Err(ImageFolderError::Channels { channels });
    }
    match options.size {
        Some(size) if !size.iter().all(|side| (1..=decode::LARGEST as usize).contains(side)) => {
            Err(ImageFolderError::Size { size })
        }
        _ => Ok(()),
    }
}

/// All images that were decoded, of all parts.
struct Whole<'a> {
    folder: &'a Path,
    classes: Vec<String>,
    files: Vec<File>,
    images: Images,
    /// Whether the folder has files for the validation and the test part, whole images or not.
    had: [bool; 2],
}

impl Whole<'_> {
    fn parts(self, seed: u64) -> Result<(Dataset, Option<Dataset>, Dataset), ImageFolderError> {
        let has = |part: Part| self.files.iter().any(|file| file.part == part);
        let of = |part: Part| {
            let all = self.files.iter().enumerate();
            all.filter(|(_, file)| file.part == part).map(|(index, _)| index).collect::<Vec<_>>()
        };
        for (label, class) in self.classes.iter().enumerate() {
            let is_of = |file: &File| file.part == Part::Train && usize::from(file.label) == label;
            if !self.files.iter().any(is_of) {
                return Err(ImageFolderError::EmptyClass {
                    folder: self.folder.to_owned(),
                    class: class.clone(),
                });
            }
        }
        let (train, validation, test) = (of(Part::Train), of(Part::Validation), of(Part::Test));
        let [has_validation, has_test] = self.had;
        for (name, had, part) in [("val", has_validation, Part::Validation), ("test", has_test, Part::Test)] {
            if had && !has(part) {
                let problem = "there is no whole image in it; add some, or remove the folder".to_owned();
                return Err(ImageFolderError::Layout { folder: self.folder.join(name), problem });
            }
        }
        let folder = self.folder.to_owned();
        let all = self.dataset().map_err(|problem| ImageFolderError::Content { folder, problem })?;
        let train = all.gather(&train);
        let (train, test) = if has_test { (train, all.gather(&test)) } else { train.split_tenth(seed) };
        Ok((train, has_validation.then(|| all.gather(&validation)), test))
    }

    fn dataset(self) -> Result<Dataset, DatasetError> {
        Dataset::new(self.images, self.files.iter().map(|file| file.label).collect(), self.classes)
    }
}
