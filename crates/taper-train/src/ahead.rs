//! Batches that are made ahead, on a thread of their own, while the network learns from the one before.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

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

/// The batches of an epoch as a thread makes them: the same, in the same order, as without it.
#[derive(Debug)]
pub(crate) struct Ahead {
    made: Receiver<Result<Batch, ReadError>>,
    /// Batches to be filled anew; the thread ends once there will be none.
    used: Sender<Batch>,
}

impl Ahead {
    /// Begins with the first of `batches`, and gives of each what is this rank's.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut batches: Batches<'scope>,
        shards: Shards,
    ) -> Self {
        let ((tell, made), (used, free)) = (channel(), channel::<Batch>());
        scope.spawn(move || {
            for mut batch in free {
                let Batch { images, labels, whole } = &mut batch;
                let made = batches.next_part_into(|batch| shards.own_images(batch), images, labels);
                let made = made.map(|images| *whole = images).map(|()| batch);
                let is_last = made.as_ref().map_or(true, |batch| batch.whole == 0);
                // Nobody listens once training has failed.
                if tell.send(made).is_err() || is_last {
                    break;
                }
            }
        });
        let ahead = Self { made, used };
        (0..BATCHES).for_each(|_| ahead.give_back(Batch::default()));
        ahead
    }

    /// The next batch, which may have to be waited for; nothing after the last.
    pub(crate) fn next(&self) -> Result<Option<Batch>, ReadError> {
        // A thread that panicked says nothing more; its scope passes the panic on.
        let Ok(batch) = self.made.recv() else { return Ok(None) };
        Ok(Some(batch?).filter(|batch| batch.whole > 0))
    }

    /// Takes back a batch that was learnt from, to save its memory.
    pub(crate) fn give_back(&self, batch: Batch) {
        // After the last one is made, none is wanted.
        let _ = self.used.send(batch);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::thread;

    use taper_data::Augment;
    use taper_data::synthetic::{Part, digits};

    use super::*;

    #[test]
    fn what_is_made_ahead_is_what_is_made_in_turn() -> Result<(), Box<dyn std::error::Error>> {
        let (data, ten) = (digits(45, 0, Part::Train), NonZeroUsize::new(10).ok_or("zero")?);
        let augment = Augment { rotation: 10.0, ..Augment::default() };
        for rank in 0..2 {
            let shards = Shards::new(2, rank, 2)?;
            let mut batches = Batches::augmented(&data, ten, 3, 1, &augment);
            batches.skip(1);
            let (mut turn, mut images, mut labels) = (batches.clone(), Vec::new(), Vec::new());
            thread::scope(|scope| -> Result<(), ReadError> {
                let ahead = Ahead::start(scope, batches, shards);
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
