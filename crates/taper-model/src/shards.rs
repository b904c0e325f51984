//! Batches that are cut into shards, each of which is run by itself: on one rank after the other, or on several at once.
//!
//! Gradients, losses and statistics of the shards are added in a binary tree over their numbers ([`tree`]), so that the
//! result depends on how many shards there are and not on how many ranks they are dealt to.
//!
//! What is complete early in a backward pass, the gradients of the plan's tail, is added over the ranks while the pass goes
//! on in each rank's last shard ([`beside`]).

mod beside;
mod reduce;
mod step;
mod tree;

use std::ops::Range;

pub(crate) use step::{Spare, Summed};

use crate::error::ModelError;

/// How a batch is cut into shards, and which of them are this rank's.
///
/// ```
/// let shards = taper_model::Shards::new(4, 1, 2)?;
/// // Of 100 images, those of the last two of four shards.
/// assert_eq!(shards.own_images(100), 50..100);
/// assert_eq!(shards.images(2, 10), 5..7);
/// # Ok::<(), taper_model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    count: usize,
    rank: usize,
    ranks: usize,
}

impl Shards {
    /// `count` shards, dealt evenly to `ranks` ranks, as rank number `rank` sees them.
    ///
    /// # Errors
    /// [`ModelError::Shards`] unless `count` is a multiple of `ranks`.
    pub fn new(count: usize, rank: usize, ranks: usize) -> Result<Self, ModelError> {
        if count == 0 || rank >= ranks || !count.is_multiple_of(ranks) {
            return Err(ModelError::Shards { shards: count, ranks });
        }
        Ok(Self { count, rank, ranks })
    }

    /// How many shards a batch has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The images of a batch of `batch` images that make up shard number `shard`: neighbours, of nearly the same number in
    /// each shard, and none where there are fewer images than shards.
    #[must_use]
    pub fn images(&self, shard: usize, batch: usize) -> Range<usize> {
        shard * batch / self.count..(shard + 1) * batch / self.count
    }

    /// The images of a batch that are this rank's.
    #[must_use]
    pub fn own_images(&self, batch: usize) -> Range<usize> {
        let own = self.own();
        self.images(own.start, batch).start..self.images(own.end, batch).start
    }

    /// The shards that are this rank's.
    fn own(&self) -> Range<usize> {
        self.of(self.rank)
    }

    /// The shards of rank number `rank`.
    fn of(&self, rank: usize) -> Range<usize> {
        let each = self.count / self.ranks;
        rank * each..(rank + 1) * each
    }
}
