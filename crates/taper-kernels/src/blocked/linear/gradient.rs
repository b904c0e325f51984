//! The gradient of the weight over the whole batch, tile by tile.

use std::ops::Range;

use super::lists::ONES;
use super::order::{LONGEST, Order, pieces};
use super::tiles::{add_product, add_row};
use crate::simd::{LANES, Simd};

/// Images at a time: a panel of their inputs fits the first-level cache.
const IMAGES: usize = 104;
/// Elements from one list to the next. It is no power of two, so that lists spread over the cache's sets.
const PITCH: usize = IMAGES + LANES;

/// For each output of a [`BlockedLinear`](super::BlockedLinear), the images of a batch in which its gradient is not zero, and its
/// values there. The buffers are kept from batch to batch.
#[derive(Debug, Clone, Default)]
pub struct LinearLists {
    images: usize,
    outputs: usize,
    /// `[piece of the images][output][PITCH]`
    values: Vec<f32>,
    /// As `values`: the number in the piece of the image that the value belongs to.
    numbers: Vec<u32>,
    /// `[piece of the images][output]`
    counts: Vec<u32>,
    /// `[piece of the images][piece of the outputs]`: the values are those of all images, zeros included.
    whole: Vec<bool>,
}

/// Rows of a few images, whichever groups of a batch they are in.
struct Images<'a> {
    len: usize,
    rows: [&'a [f32]; IMAGES],
}

/// Calls `visit` with up to `IMAGES` rows of `stride` elements at a time, in order.
#[inline(always)]
fn for_each_piece<'a>(
    images: usize,
    stride: usize,
    groups: &[&'a [f32]],
    mut visit: impl FnMut(usize, &Images<'a>),
) {
    let mut rows = groups.iter().flat_map(|group| group.chunks_exact(stride.max(1)));
    for (number, piece) in pieces(images, IMAGES).enumerate() {
        let mut images = Images { len: 0, rows: [&[]; IMAGES] };
        for row in rows.by_ref().take(piece.len()) {
            images.rows[images.len] = row;
            images.len += 1;
        }
        visit(number, &images);
    }
}

impl LinearLists {
    pub(super) fn images(&self) -> usize {
        self.images
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Lists the gradients `dy`, groups of rows of all outputs, which hold `images` rows together.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&mut self, s: S, order: Order, images: usize, dy: &[&[f32]]) {
        let outputs = order.outputs;
        let lists = images.div_ceil(IMAGES) * outputs.features();
        (self.images, self.outputs) = (images, outputs.features());
        self.values.resize(lists * PITCH, 0.0);
        self.numbers.resize(lists * PITCH, 0);
        self.counts.clear();
        self.counts.resize(lists, 0);
        self.whole.clear();
        for_each_piece(
            images,
            self.outputs,
            dy,
            #[inline(always)]
            |piece, images| {
                for outputs in (0..outputs.len()).map(|at| outputs.piece(at)) {
                    self.list::<S, false>(s, piece, images, &outputs);
                    let first = piece * self.outputs;
                    let listed: u32 = self.counts[first + outputs.start..first + outputs.end].iter().sum();
                    // A listed value costs one load more for each panel than its products do.
                    let whole = 4 * listed as usize > 3 * outputs.len() * images.len;
                    if whole {
                        self.list::<S, true>(s, piece, images, &outputs);
                    }
                    self.whole.push(whole);
                }
            },
        );
    }

    /// Lists some outputs; with `WHOLE` their zeros too.
    #[inline(always)]
    fn list<S: Simd, const WHOLE: bool>(
        &mut self,
        s: S,
        piece: usize,
        images: &Images<'_>,
        outputs: &Range<usize>,
    ) {
        let zero = s.splat(0.0);
        // SAFETY: the array has eight elements.
        let lanes = unsafe { s.load_u(&[0, 1, 2, 3, 4, 5, 6, 7], 0) };
        let first = piece * self.outputs;
        self.counts[first + outputs.start..first + outputs.end].fill(0);
        // The rows of a few images at a time: they may lie a multiple of 4 KiB apart, where a cache keeps eight.
        for image in (0..images.len).step_by(LANES) {
            for output in outputs.clone().step_by(LANES) {
                let rows = std::array::from_fn(
                    #[inline(always)]
                    |row| match images.rows[..images.len].get(image + row) {
                        Some(dy) if dy.len() >= output + LANES => {
                            // SAFETY: the guard above.
                            unsafe { s.load(dy, output) }
                        }
                        _ => zero,
                    },
                );
                let numbers = s.add_u(lanes, s.splat_u(image as u32));
                for (lane, dy) in s.transpose(rows).into_iter().enumerate() {
                    let bits = if WHOLE { u8::MAX } else { s.bits(s.ne(dy, zero)) };
                    let list = first + output + lane;
                    let count = &mut self.counts[list];
                    let slot = list * PITCH..(list + 1) * PITCH;
                    // SAFETY: no earlier vector has added more than eight, so `count <= image <= IMAGES - 8`.
                    unsafe {
                        s.store(s.pack(bits, dy), &mut self.values[slot.clone()], *count as usize);
                        s.store_u(s.pack_u(bits, numbers), &mut self.numbers[slot], *count as usize);
                    }
                    *count += u32::from(ONES[usize::from(bits)]);
                }
            }
        }
    }

    /// `dweight = Σ dy·x` over the images, in order, for the pieces `blocks` of the inputs; `x` are groups of rows, as many as
    /// were listed.
    #[inline(always)]
    pub(super) fn weight_gradient<S: Simd>(
        &self,
        s: S,
        order: Order,
        blocks: Range<usize>,
        x: &[&[f32]],
        dweight: &mut [f32],
    ) {
        if self.images == 0 {
            dweight.fill(0.0);
        }
        let origin = order.tile(blocks.start, 0).start;
        let mut panel = Panel([0.0; IMAGES * LONGEST]);
        for_each_piece(
            self.images,
            order.inputs.features(),
            x,
            #[inline(always)]
            |piece, images| {
                let add = piece > 0;
                for block in blocks.clone() {
                    let inputs = order.inputs.piece(block);
                    let x = panel.gather(images, &inputs);
                    for at in 0..order.outputs.len() {
                        let outputs = order.outputs.piece(at);
                        let tile = order.tile(block, at);
                        let tile = &mut dweight[tile.start - origin..tile.end - origin];
                        let first = piece * self.outputs + outputs.start;
                        if self.whole[piece * order.outputs.len() + at] {
                            let values = &self.values[first * PITCH..(first + outputs.len()) * PITCH];
                            let (sizes, rows) = ([images.len, inputs.len() / LANES], [0, inputs.len()]);
                            add_product::<S, PITCH>(s, outputs.len(), values, sizes, x, add, rows, tile);
                        } else {
                            self.sparse(s, x, first, inputs.len(), add, tile);
                        }
                    }
                }
            },
        );
    }

    /// Adds the products of the listed values with the rows of `x` to a tile of `stride` columns, whose first row is that of
    /// the list `first`; replaces the tile unless `add`.
    #[inline(always)]
    fn sparse<S: Simd>(&self, s: S, x: &[f32], first: usize, stride: usize, add: bool, tile: &mut [f32]) {
        macro_rules! widths {
            ($($width:literal)*) => {
                match stride / LANES {
                    $($width => for (row, list) in tile.as_chunks_mut::<{ $width * LANES }>().0.iter_mut().zip(first..) {
                        let values = &self.values[list * PITCH..][..self.counts[list] as usize];
                        // SAFETY: the numbers are those of rows of `x`.
                        unsafe { add_row::<S, $width>(s, values, &self.numbers[list * PITCH..], x, add, row) };
                    })*
                    _ => {}
                }
            };
        }
        widths!(1 2 3 4 5 6 7 8);
    }
}

/// Inputs of some images side by side: in their rows they may lie a multiple of 4 KiB apart, where a cache keeps eight.
#[repr(align(64))]
struct Panel([f32; IMAGES * LONGEST]);

impl Panel {
    /// The inputs `inputs` of all images.
    #[inline(always)]
    fn gather(&mut self, images: &Images<'_>, inputs: &Range<usize>) -> &[f32] {
        let panel = &mut self.0[..images.len * inputs.len()];
        for (own, row) in panel.chunks_exact_mut(inputs.len()).zip(&images.rows) {
            own.copy_from_slice(&row[inputs.clone()]);
        }
        panel
    }
}
