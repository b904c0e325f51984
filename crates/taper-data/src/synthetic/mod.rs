//! Handwritten digits drawn by a program: a stand-in for MNIST where there is no network.
//!
//! Each image is a digit in one of its usual forms, written with a random hand: points off their place, page
//! bent (elastic distortion), width, slant and rotation, pen width and pressure, position, ink and noise.
//! Every image has its own random numbers, from the seed and its index alone, and they pass through exact
//! arithmetic only: so the same seed gives the same bytes on every machine, with any number of threads.
//!
//! ```
//! use taper_data::synthetic::{self, Part};
//!
//! let data = synthetic::digits(100, 0, Part::Train);
//! assert_eq!((data.len(), data.images.height(), data.images.width()), (100, 28, 28));
//! assert_eq!(data, synthetic::digits(100, 0, Part::Train));
//! assert_ne!(data, synthetic::digits(100, 0, Part::Test));
//! ```

mod glyphs;
mod page;
mod pen;
mod style;

use std::num::NonZeroUsize;
use std::thread;

use crate::dataset::Dataset;
use crate::images::Images;
use crate::rng::{Purpose, Rng};
use page::{PIXELS, SIDE};

/// Images in the training set, as many as in MNIST.
pub const TRAIN: usize = 60_000;
/// Images in the test set, as many as in MNIST.
pub const TEST: usize = 10_000;

/// Which of the two sets, which share no random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To train on.
    Train,
    /// To test on.
    Test,
}

/// The training set (60,000 images) and the test set (10,000) of `seed`.
#[must_use]
pub fn train_and_test(seed: u64) -> (Dataset, Dataset) {
    (digits(TRAIN, seed, Part::Train), digits(TEST, seed, Part::Test))
}

/// The first `count` images of a set, `[count, 1, 28, 28]`, light on dark, with labels drawn evenly from 0–9.
///
/// Uses all processor cores; the result does not depend on how many.
#[must_use]
pub fn digits(count: usize, seed: u64, part: Part) -> Dataset {
    digits_on(thread::available_parallelism().map_or(1, NonZeroUsize::get), count, seed, part)
}

fn digits_on(threads: usize, count: usize, seed: u64, part: Part) -> Dataset {
    let purpose = match part {
        Part::Train => Purpose::TrainDigits,
        Part::Test => Purpose::TestDigits,
    };
    let mut pixels = vec![0; count * PIXELS];
    let mut labels = vec![0; count];
    let share = count.div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        let parts = pixels.chunks_mut(share * PIXELS).zip(labels.chunks_mut(share));
        for (number, (pixels, labels)) in parts.enumerate() {
            scope.spawn(move || {
                for (offset, (page, label)) in pixels.chunks_exact_mut(PIXELS).zip(labels).enumerate() {
                    let index = (number * share + offset) as u64;
                    *label = draw(page, &mut Rng::new(seed, purpose, index));
                }
            });
        }
    });
    Images::new(count, 1, SIDE, SIDE, pixels)
        .and_then(|images| Dataset::digits(images, labels))
        .expect("one label below ten and one page of pixels were drawn for each image")
}

/// Draws one image and returns what it shows.
fn draw(page: &mut [u8], rng: &mut Rng) -> u8 {
    let digit = rng.below(10) as usize;
    let style = style::Style::draw(rng);
    let segments = pen::write(digit, &style, rng);
    page::ink(page, &segments, &style, rng);
    digit as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_count_changes_nothing() {
        let one = digits_on(1, 101, 3, Part::Train);
        for threads in [2, 3, 7, 200] {
            assert_eq!(one, digits_on(threads, 101, 3, Part::Train), "{threads} threads");
        }
        assert!(digits_on(4, 0, 3, Part::Train).is_empty());
    }
}
