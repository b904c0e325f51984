//! Joining images along their channels, and taking them apart again.

use super::lanes_from;
use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

use crate::blocked::layout::{Blocked, Runs, Values, ValuesMut};

/// Some consecutive channels of an image as an image of their own.
///
/// A concatenation is one [`ChannelSlice::insert`] for each of its parts, and its gradient one
/// [`ChannelSlice::extract`] each. Whole blocks are copied; where a part does not start at a multiple of eight channels, lanes
/// are moved.
///
/// ```
/// use taper_kernels::Isa;
/// use taper_kernels::blocked::{Blocked, ChannelSlice};
/// // Channels 2 and 3 of four.
/// let slice = ChannelSlice::new(Blocked::new([4, 1, 1], 0), 2..4, Isa::current())?;
/// let mut whole = [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// slice.insert(1, [7.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0][..].into(), (&mut whole[..]).into())?;
/// assert_eq!(whole[..5], [1.0, 2.0, 7.0, 8.0, 0.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ChannelSlice {
    whole: Blocked,
    part: Blocked,
    first: usize,
    isa: Isa,
}

/// Lanes that move together from one block to another.
struct Piece {
    /// The block that they come from.
    from: usize,
    /// The block that they go to.
    to: usize,
    /// The lane where the first comes from.
    from_lane: usize,
    /// The lane where the first goes to.
    to_lane: usize,
    /// How many.
    count: usize,
    /// The first lane behind them that becomes zero, as all from there on do.
    zero_from: usize,
}

impl ChannelSlice {
    /// The channels `channels` of images of the sizes of `whole`. Halos do not matter.
    ///
    /// # Errors
    /// [`KernelError::Length`] if the range is empty or reaches beyond the channels.
    pub fn new(whole: Blocked, channels: std::ops::Range<usize>, isa: Isa) -> Result<Self, KernelError> {
        let end = channels.end.min(whole.channels).max(channels.start.saturating_add(1));
        check_len("channels up to the end of the slice", channels.end, end)?;
        check_len("channels up to the end of the slice", channels.end, channels.end.min(whole.channels))?;
        let whole = whole.with_halo(0);
        let part = Blocked { channels: channels.len(), ..whole };
        Ok(Self { whole, part, first: channels.start, isa })
    }

    /// The sizes of the part, without a halo.
    pub fn part(&self) -> Blocked {
        self.part
    }

    /// Writes `part` to its channels of `whole`, whose other channels stay as they are.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    pub fn insert(&self, images: usize, part: Values<'_>, whole: ValuesMut<'_>) -> Result<(), KernelError> {
        part.check("part", self.part, images)?;
        whole.check("whole", self.whole, images)?;
        let last = self.first + self.part.channels == self.whole.channels;
        let pieces = |visit: &mut dyn FnMut(Piece)| {
            self.for_each_piece(|[whole, part], [whole_lane, part_lane], count| {
                let end = whole_lane + count;
                let last = last && whole + 1 == self.whole.blocks();
                visit(Piece {
                    from: part,
                    to: whole,
                    from_lane: part_lane,
                    to_lane: whole_lane,
                    count,
                    zero_from: if last { end } else { LANES },
                });
            });
        };
        self.copy([self.part, self.whole], images, part, whole, pieces);
        Ok(())
    }

    /// Fills `part` with its channels of `whole`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, ChannelSlice};
    /// let slice = ChannelSlice::new(Blocked::new([4, 1, 1], 0), 2..4, Isa::current())?;
    /// let (whole, mut part) = ([1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0], [9.0; 8]);
    /// slice.extract(1, whole[..].into(), (&mut part[..]).into())?;
    /// assert_eq!(part[..3], [3.0, 4.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn extract(&self, images: usize, whole: Values<'_>, part: ValuesMut<'_>) -> Result<(), KernelError> {
        whole.check("whole", self.whole, images)?;
        part.check("part", self.part, images)?;
        let pieces = |visit: &mut dyn FnMut(Piece)| {
            // A block's pieces come first lane first, so that zeros behind one are overwritten by the next.
            self.for_each_piece(|[whole, part], [whole_lane, part_lane], count| {
                let zero_from = part_lane + count;
                visit(Piece {
                    from: whole,
                    to: part,
                    from_lane: whole_lane,
                    to_lane: part_lane,
                    count,
                    zero_from,
                });
            });
        };
        self.copy([self.whole, self.part], images, whole, part, pieces);
        Ok(())
    }

    /// Calls `visit([block of the whole, of the part], [lane of the whole, of the part], lanes)`.
    fn for_each_piece(&self, mut visit: impl FnMut([usize; 2], [usize; 2], usize)) {
        let mut channel = 0;
        while channel < self.part.channels {
            let places = [self.first + channel, channel];
            let lanes = places.map(|at| at % LANES);
            let room = LANES - lanes[0].max(lanes[1]);
            let count = room.min(self.part.channels - channel);
            visit(places.map(|at| at / LANES), lanes, count);
            channel += count;
        }
    }

    fn copy(
        &self,
        [from_sizes, to_sizes]: [Blocked; 2],
        images: usize,
        x: Values<'_>,
        y: ValuesMut<'_>,
        pieces: impl Fn(&mut dyn FnMut(Piece)),
    ) {
        let layouts = [from_sizes.with_halo(x.halo), to_sizes.with_halo(y.halo)];
        // The runs of one block; where the block starts is added below.
        let one_block = Blocked { channels: LANES, ..self.part };
        let runs = Runs::new(one_block, [x.halo, y.halo]);
        for image in runs.images(images) {
            pieces(&mut |piece: Piece| {
                let from_start = image * layouts[0].image() + piece.from * layouts[0].plane();
                let to_start = image * layouts[1].image() + piece.to * layouts[1].plane();
                runs.for_each_in(0, 0, |[from, to], len| {
                    let (from, to) = (from_start + from, to_start + to);
                    let (x, y) = (&x.data[from..from + len], &mut y.data[to..to + len]);
                    match piece.count {
                        LANES => y.copy_from_slice(x),
                        _ => dispatch!(self.isa, |s| move_lanes(s, &piece, x, y)),
                    }
                });
            });
        }
    }
}

/// Moves the lanes of a piece of every pixel of `x` to the same pixel of `y`.
#[inline(always)]
fn move_lanes<S: Simd>(s: S, piece: &Piece, x: &[f32], y: &mut [f32]) {
    let moved = lanes_from(s, piece.to_lane, piece.count);
    let zero = lanes_from(s, piece.zero_from, LANES - piece.zero_from);
    for at in (0..x.len().min(y.len())).step_by(LANES) {
        // Loaded so that each lane stands where it goes to.
        match (at + piece.from_lane).checked_sub(piece.to_lane).filter(|from| from + LANES <= x.len()) {
            // SAFETY: the load was just checked, and the slices are a whole number of pixels.
            Some(from) => unsafe {
                let kept = s.select(zero, s.splat(0.0), s.load(y, at));
                s.store(s.select(moved, s.load(x, from), kept), y, at);
            },
            None => {
                let (x, y) = (&x[at..at + LANES], &mut y[at..at + LANES]);
                y[piece.to_lane..][..piece.count].copy_from_slice(&x[piece.from_lane..][..piece.count]);
                y[piece.zero_from..].fill(0.0);
            }
        }
    }
}
