//! Batches that are made ahead, on a thread of their own, while the network learns from the one before.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope};

use taper_data::{Batches, ReadError};
use taper_model::Shards;

/// Batches that are under way: one is learnt from while the next is made.
const BATCHES: usize = 2;

/// A batch, or the part of it that is one rank's.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// `[B, C, H, W]`, 0…1.
    pub(crate) images: Vec<f32>,
    /// `[B]`.
    pub(crate) labels: Vec<u8>,
    /// Images of the whole batch.
    pub(crate) whole: usize,
}

/// The batches of an epoch: the same, in the same order, whoever makes them.
#[derive(Debug)]
pub(crate) enum Ahead<'a> {
    /// A thread does.
    Made {
        made: Receiver<Result<Batch, ReadError>>,
        /// Batches to be filled anew; the thread ends once there will be none.
        used: Sender<Batch>,
    },
    /// Who asks for the next one does, then and there.
    InTurn { batches: Batches<'a>, shards: Shards, used: Option<Batch> },
}

impl<'a> Ahead<'a> {
    /// Begins with the first of `batches`, and gives of each what is this rank's.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        batches: Batches<'a>,
        shards: Shards,
    ) -> Self
    where
        'a: 'scope,
    {
        let in_turn = |batches| Self::InTurn { batches, shards, used: None };
        // A thread of a pool must not wait for one outside of it, whose own work would be done by that pool.
        if rayon::current_thread_index().is_some() {
            return in_turn(batches);
        }
        let ((tell, made), (used, free)) = (channel(), channel::<Batch>());
        let mut own = batches.clone();
        let work = move || {
            for batch in free {
                let made = fill(&mut own, shards, batch);
                let is_last = made.as_ref().map_or(true, |batch| batch.whole == 0);
                // Nobody listens once training has failed.
                if tell.send(made).is_err() || is_last {
                    break;
                }
            }
        };
        if Builder::new().name("batches".to_owned()).spawn_scoped(scope, work).is_err() {
            return in_turn(batches);
        }
        let mut ahead = Self::Made { made, used };
        (0..BATCHES).for_each(|_| ahead.give_back(Batch::default()));
        ahead
    }

    /// The next batch, which may have to be waited for; nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, ReadError> {
        let batch = match self {
            // A thread that panicked says nothing more; its scope passes the panic on.
            Self::Made { made, .. } => made.recv().unwrap_or_else(|_| Ok(Batch::default())),
            Self::InTurn { batches, shards, used } => fill(batches, *shards, used.take().unwrap_or_default()),
        };
        Ok(Some(batch?).filter(|batch| batch.whole > 0))
    }

    /// Takes back a batch that was learnt from, to save its memory.
    pub(crate) fn give_back(&mut self, batch: Batch) {
        match self {
            // After the last one is made, none is wanted.
            Self::Made { used, .. } => drop(used.send(batch)),
            Self::InTurn { used, .. } => *used = Some(batch),
        }
    }
}

/// The next batch in the memory of an earlier one; of no images after the last.
fn fill(batches: &mut Batches<'_>, shards: Shards, mut batch: Batch) -> Result<Batch, ReadError> {
    let Batch { images, labels, whole } = &mut batch;
    *whole = batches.next_part_into(|batch| shards.own_images(batch), images, labels)?;
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::num::NonZeroUsize;
    use std::thread;

    use taper_data::Augment;
    use taper_data::synthetic::{Part, digits};

    use super::*;

    #[test]
    fn what_is_made_ahead_is_what_is_made_in_turn() -> Result<(), Box<dyn Error + Send + Sync>> {
        compare()?;
        // Its only thread would wait for itself if another one made the batches.
        rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(compare)
    }

    fn compare() -> Result<(), Box<dyn Error + Send + Sync>> {
        let (data, ten) = (digits(45, 0, Part::Train), NonZeroUsize::new(10).ok_or("zero")?);
        let augment = Augment { rotation: 10.0, ..Augment::default() };
        for rank in 0..2 {
            let shards = Shards::new(2, rank, 2)?;
            let mut batches = Batches::augmented(&data, ten, 3, 1, &augment);
            batches.skip(1);
            let (mut turn, mut images, mut labels) = (batches.clone(), Vec::new(), Vec::new());
            thread::scope(|scope| -> Result<(), ReadError> {
                let mut ahead = Ahead::start(scope, batches, shards);
                let mut count = 0;
                while let Some(batch) = ahead.next()? {
                    let whole =
                        turn.next_part_into(|batch| shards.own_images(batch), &mut images, &mut labels)?;
                    assert_eq!((batch.whole, &batch.images, &batch.labels), (whole, &images, &labels));
                    ahead.give_back(batch);
                    count += 1;
                }
                assert_eq!(count, 4);
                assert!(ahead.next()?.is_none());
                Ok(())
            })?;
            // One that stops early does not wait for what is left.
            let batches = Batches::shuffled(&data, ten, 3, 1);
            thread::scope(|scope| Ahead::start(scope, batches, shards).next().map(|_| ()))?;
        }
        Ok(())
    }
}
