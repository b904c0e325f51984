//! Image-classification datasets as bytes: images `[N, C, H, W]` of `u8`, one `u8` label each.
//!
//! Reads MNIST's own IDX files, splits a dataset, and hands it out in seeded random batches. It knows no
//! tensor library, so it serves any.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use taper_data::{Batches, Dataset, Images};
//!
//! let images = Images::new(10, 1, 2, 2, (0..40).collect())?;
//! let data = Dataset::digits(images, (0..10).collect())?;
//! let (train, validation) = data.split(2, 42);
//! assert_eq!((train.len(), validation.len()), (8, 2));
//!
//! let (mut pixels, mut labels) = (Vec::new(), Vec::new());
//! let mut batches = Batches::shuffled(&train, NonZeroUsize::new(5).ok_or("zero")?, 42, 0);
//! while batches.next_into(&mut pixels, &mut labels) {
//!     assert_eq!(pixels.len(), labels.len() * 4); // `[B, 1, 2, 2]` in 0…1
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod hub;
pub mod idx;
pub mod parquet;
pub mod prepare;
pub mod synthetic;

mod batches;
mod choice;
mod dataset;
mod error;
mod folder;
mod hash;
mod images;
mod load;
mod rng;

pub use batches::{Batches, extend_unit};
pub use choice::{Choice, ParseChoiceError};
pub use dataset::{Dataset, DatasetError, split_indices};
pub use error::DataError;
pub use hash::{Expected, PartHashes};
pub use hub::HubOptions;
pub use images::Images;
pub use load::{LoadEvent, LoadOptions, Loaded, MNIST_REPOSITORY, Provenance, load};
