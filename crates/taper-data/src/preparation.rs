//! [`Preparation`]: how a picture becomes an image like those of a dataset.

use crate::choice::Choice;
use crate::prepare::SIDE;

/// How a picture becomes an image like those that a network was trained on.
///
/// ```
/// use taper_data::Preparation;
///
/// assert_eq!(Preparation::of("mnist", "hub:ylecun/mnist@main"), Preparation::Handwriting);
/// assert_eq!(Preparation::of("fashion-mnist", "idx"), Preparation::Picture);
/// assert_eq!(Preparation::of("my-photos", "folder:48x48"), Preparation::Picture);
/// assert!(Preparation::Picture.takes([3, 48, 48]) && !Preparation::Handwriting.takes([3, 48, 48]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Light on dark, scaled and centred as MNIST's digits are: [`prepare`](crate::prepare).
    Handwriting,
    /// Scaled and cut to size, as images in folders are: [`image_folder`](crate::image_folder).
    Picture,
}

/// How the source of images in folders begins.
const FOLDER: &str = "folder:";

impl Preparation {
    /// That for data of this name and source, as [`Provenance`](crate::Provenance) has them. Data of no known name are taken to
    /// be digits in another form, unless they were images in folders.
    #[must_use]
    pub fn of(name: &str, source: &str) -> Self {
        let is_other = |choice: Choice| !choice.is_handwriting();
        match source.starts_with(FOLDER) || name.parse().is_ok_and(is_other) {
            true => Self::Picture,
            false => Self::Handwriting,
        }
    }

    /// Whether it makes images `[C, H, W]` of that shape.
    #[must_use]
    pub fn takes(self, image: [usize; 3]) -> bool {
        match self {
            Self::Handwriting => image == [1, SIDE, SIDE],
            Self::Picture => matches!(image[0], 1 | 3),
        }
    }
}
