//! Image-classification datasets as bytes: images `[N, C, H, W]` of `u8`, one `u8` label each.
//!
//! [`load`] gets MNIST from a folder (IDX or Parquet) or from the Hugging Face Hub, checks its SHA-256, and
//! otherwise says clearly what is wrong; [`synthetic`] draws handwritten digits where there is no network. A
//! [`Dataset`] is split and handed out in seeded random [`Batches`], changed at random if [`Augment`] says so; [`prepare`] makes any picture of a digit what
//! MNIST's are. The same seed gives the same bytes on every machine. The crate knows no tensor library, so it
//! serves any.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use taper_data::synthetic::{self, Part};
//! use taper_data::Batches;
//!
//! let data = synthetic::digits(100, 0, Part::Train);
//! let (train, validation) = data.split(20, 42);
//! assert_eq!((train.len(), validation.len()), (80, 20));
//!
//! let (mut pixels, mut labels) = (Vec::new(), Vec::new());
//! let mut batches = Batches::shuffled(&train, NonZeroUsize::new(32).ok_or("zero")?, 42, 0);
//! while batches.next_into(&mut pixels, &mut labels)? {
//!     assert_eq!(pixels.len(), labels.len() * 28 * 28); // `[B, 1, 28, 28]` in 0…1
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Feature `hub` (on by default): the download from the Hub. Without it, MNIST is read from folders only.

pub mod hub;
pub mod idx;
pub mod image_folder;
pub mod parquet;
pub mod prepare;
pub mod synthetic;

mod augment;
mod batches;
mod choice;
mod cifar;
mod dataset;
mod error;
mod folder;
mod hash;
mod images;
mod known;
mod load;
mod preparation;
mod rng;
mod stored;

pub use augment::{Augment, Draw, shift_into};
pub use batches::{Batches, extend_unit};
pub use choice::{Choice, ParseChoiceError};
pub use dataset::{Dataset, DatasetError, split_indices, tenth_of_each_class};
pub use error::DataError;
pub use hash::{Expected, PartHashes};
pub use hub::HubOptions;
pub use images::Images;
pub use load::{LoadEvent, LoadOptions, Loaded, MNIST_REPOSITORY, Provenance, load};
pub use preparation::Preparation;
pub use stored::ReadError;
