//! Weights between the plain layout and the order in which a [`Direction`] reads them.

use super::direction::Direction;
use crate::simd::{LANES, Simd};

/// The weights of one block of written channels: where they start, packed and plain, and how many channels there are.
struct Block {
    packed: usize,
    plain: usize,
    lanes: usize,
}

impl Direction {
    fn blocks(&self) -> impl Iterator<Item = Block> {
        self.units.iter().enumerate().flat_map(move |(index, unit)| {
            (0..unit.vectors).map(move |vector| Block {
                packed: index * self.unit_len + vector * LANES,
                plain: unit.weight + vector * LANES * self.channels.written_step,
                lanes: (unit.lanes - vector * LANES).min(LANES),
            })
        })
    }

    /// The taps by eights whose plain weights are neighbours, where that is so, and else singly.
    fn runs(&self, lanes: usize) -> impl Iterator<Item = Result<&[[usize; 2]; LANES], [usize; 2]>> {
        let mut rest = &self.order[..];
        std::iter::from_fn(move || {
            if let Some((run, behind)) = rest.split_first_chunk::<LANES>()
                && lanes == LANES
                && run[LANES - 1][0] == run[0][0] + LANES - 1
            {
                rest = behind;
                return Some(Ok(run));
            }
            let (tap, behind) = rest.split_first()?;
            rest = behind;
            Some(Err(*tap))
        })
    }

    /// Plain weights to the order in which they are read, with zeros for the channels beyond the last.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(&self, s: S, weight: &[f32], packed: &mut [f32]) {
        let step = self.channels.written_step;
        for block in self.blocks() {
            for taps in self.runs(block.lanes) {
                match taps {
                    Ok(taps) => {
                        let from = block.plain + taps[0][0];
                        // A loop: the compiler does not always inline `array::from_fn`.
                        let mut rows = [s.splat(0.0); LANES];
                        for (lane, row) in rows.iter_mut().enumerate() {
                            *row = load(s, weight, from + lane * step);
                        }
                        for (tap, column) in taps.iter().zip(s.transpose(rows)) {
                            store(s, column, packed, block.packed + tap[1]);
                        }
                    }
                    Err([from, to]) => {
                        let to = &mut packed[block.packed + to..][..LANES];
                        to[block.lanes..].fill(0.0);
                        let from = weight[block.plain + from..].iter().step_by(step);
                        to[..block.lanes].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
    }

    /// The sum of `sums`, packed, back to plain weights.
    #[inline(always)]
    pub(super) fn unpack_sum<S: Simd>(&self, s: S, sums: &[&[f32]], weight: &mut [f32]) {
        let step = self.channels.written_step;
        for block in self.blocks() {
            for taps in self.runs(block.lanes) {
                match taps {
                    Ok(taps) => {
                        let mut columns = [s.splat(0.0); LANES];
                        for (column, tap) in columns.iter_mut().zip(taps) {
                            *column = total(s, sums, block.packed + tap[1]);
                        }
                        let to = block.plain + taps[0][0];
                        for (lane, row) in s.transpose(columns).into_iter().enumerate() {
                            store(s, row, weight, to + lane * step);
                        }
                    }
                    Err([to, from]) => {
                        let mut lanes = [0.0; LANES];
                        store(s, total(s, sums, block.packed + from), &mut lanes, 0);
                        let to = weight[block.plain + to..].iter_mut().step_by(step);
                        to.zip(&lanes[..block.lanes]).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
    }
}

/// The sum of eight elements of each slice, in the order of the slices.
#[inline(always)]
fn total<S: Simd>(s: S, sums: &[&[f32]], at: usize) -> S::F {
    let mut total = s.splat(0.0);
    for sum in sums {
        total = s.add(total, load(s, sum, at));
    }
    total
}

#[inline(always)]
fn load<S: Simd>(s: S, data: &[f32], at: usize) -> S::F {
    // SAFETY: the slice has eight elements.
    unsafe { s.load(&data[at..at + LANES], 0) }
}

#[inline(always)]
fn store<S: Simd>(s: S, x: S::F, data: &mut [f32], at: usize) {
    // SAFETY: the slice has eight elements.
    unsafe { s.store(x, &mut data[at..at + LANES], 0) }
}
