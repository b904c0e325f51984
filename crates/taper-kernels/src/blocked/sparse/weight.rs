//! The gradient of the weight: for each output channel, its list against the input.

use super::{SparseConv, SparseLists};
use crate::blocked::Blocked;
use crate::error::{KernelError, check_len};
use crate::geometry::ConvGeometry;
use crate::simd::{LANES, Simd, dispatch};

/// Which vectors of the input an entry is multiplied with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// For each block of input channels, the eight channels of each tap, this far from the first tap.
    Blocks(Vec<usize>),
    /// For each of a few input channels and row of taps, eight pixels of the input without blocks, of which the taps are
    /// the first ones; this far from the first.
    Rows(Vec<usize>),
}

impl Form {
    pub(super) fn new(geometry: &ConvGeometry, input: Blocked) -> Self {
        let [vertical, horizontal] = geometry.windows;
        let (channels, width) = (geometry.in_channels, input.row() / LANES);
        if by_rows(geometry) {
            let plane = chunk_of(geometry, input) * input.plane() / LANES;
            let rows = |channel: usize| {
                (0..vertical.kernel).map(move |tap| channel * plane + tap * vertical.dilation * width)
            };
            return Self::Rows((0..channels).flat_map(rows).collect());
        }
        let row = |tap: usize| {
            let row = tap * vertical.dilation * input.row();
            (0..horizontal.kernel).map(move |tap| row + tap * horizontal.dilation * LANES)
        };
        Self::Blocks((0..vertical.kernel).flat_map(row).collect())
    }
}

/// Whether rows of pixels are fewer vectors than blocks of channels, which would be mostly zeros.
fn by_rows(geometry: &ConvGeometry) -> bool {
    let [_, horizontal] = geometry.windows;
    geometry.in_channels < horizontal.kernel.min(LANES)
        && (horizontal.kernel - 1) * horizontal.dilation < LANES
}

/// Bytes of the input, of eight channels of some images, that are worked on at a time: most of the first cache.
const CHUNK_BYTES: usize = 20 << 10;

/// Images whose gradients for one channel share a list.
pub(super) fn chunk_of(geometry: &ConvGeometry, input: Blocked) -> usize {
    let plane = if by_rows(geometry) { geometry.in_channels * input.plane() / LANES } else { input.plane() };
    (CHUNK_BYTES / (size_of::<f32>() * plane)).max(1)
}

/// One channel's list.
struct List<'a> {
    starts: &'a [u32],
    gradients: &'a [f32],
}

impl SparseConv {
    /// Elements of a sum of weight gradients: `[out_channels, blocks of input channels, taps, 8]`, or a smaller one if
    /// there are but a few input channels.
    pub fn weight_sum_len(&self) -> usize {
        self.geometry.out_channels * self.channel_sum_len()
    }

    /// Those of one output channel.
    fn channel_sum_len(&self) -> usize {
        match &self.weight {
            Form::Blocks(offsets) => self.input.blocks() * offsets.len() * LANES,
            Form::Rows(offsets) => offsets.len() * LANES,
        }
    }

    /// Elements of a chunk of images without blocks.
    pub(super) fn plain_len(&self) -> usize {
        match &self.weight {
            Form::Blocks(_) => 0,
            Form::Rows(_) => self.geometry.in_channels * self.chunk * self.input.plane() / LANES + LANES,
        }
    }

    /// Adds the weight gradients of `images` images, `x` with its halo, to `sum`, or replaces what it holds unless `add`.
    /// `lists` are those that [`SparseConv::fill`] made of them; some room in them is written to.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the layouts give it, or the lists are of other
    /// images.
    pub fn backward_weight(
        &self,
        images: usize,
        x: &[f32],
        lists: &mut SparseLists,
        add: bool,
        sum: &mut [f32],
    ) -> Result<(), KernelError> {
        check_len("x", x.len(), self.input.elements(images))?;
        check_len("sum of weight gradients", sum.len(), self.weight_sum_len())?;
        self.check_lists(lists, images)?;
        if images == 0 && !add {
            sum.fill(0.0);
        }
        for (chunk, x) in x.chunks(self.chunk * self.input.image()).enumerate() {
            let add = add || chunk > 0;
            match &self.weight {
                Form::Blocks(offsets) => {
                    for block in 0..self.input.blocks() {
                        let x = &x[block * self.input.plane()..];
                        let sums = block * offsets.len() * LANES;
                        dispatch!(self.isa, |s| self.over_blocks(
                            s,
                            offsets,
                            lists,
                            chunk,
                            x,
                            add,
                            &mut sum[sums..]
                        ));
                    }
                }
                Form::Rows(offsets) => {
                    self.gather(x, &mut lists.plain);
                    dispatch!(self.isa, |s| self.over_rows(s, offsets, lists, chunk, add, sum));
                }
            }
        }
        Ok(())
    }

    fn list<'a>(&self, lists: &'a SparseLists, chunk: usize, channel: usize) -> List<'a> {
        let list = chunk * self.out_blocks() * LANES + channel;
        let range = list * lists.stride..list * lists.stride + lists.counts[list];
        List { starts: &lists.starts[range.clone()], gradients: &lists.gradients[range] }
    }

    /// One chunk of images and one block of input channels.
    #[expect(clippy::too_many_arguments, reason = "what to add, and to what")]
    #[inline(always)]
    fn over_blocks<S: Simd>(
        &self,
        s: S,
        offsets: &[usize],
        lists: &SparseLists,
        chunk: usize,
        x: &[f32],
        add: bool,
        sum: &mut [f32],
    ) {
        let (row, channel_sum) = (self.input.row(), self.channel_sum_len());
        let three = offsets == nine(row);
        for channel in 0..self.geometry.out_channels {
            let list = self.list(lists, chunk, channel);
            let sum = &mut sum[channel * channel_sum..];
            if three {
                accumulate::<S, 9, 1, 0>(s, &list, x, nine(row), add, &mut sum[..9 * LANES]);
            } else {
                any_number::<S, 0>(s, &list, x, offsets, add, sum);
            }
        }
    }

    /// One chunk of images, without blocks.
    #[inline(always)]
    fn over_rows<S: Simd>(
        &self,
        s: S,
        offsets: &[usize],
        lists: &SparseLists,
        chunk: usize,
        add: bool,
        sum: &mut [f32],
    ) {
        let channel_sum = self.channel_sum_len();
        for channel in 0..self.geometry.out_channels {
            let list = self.list(lists, chunk, channel);
            any_number::<S, 3>(s, &list, &lists.plain, offsets, add, &mut sum[channel * channel_sum..]);
        }
    }

    /// A chunk of images, each of one block, to channel by channel.
    fn gather(&self, x: &[f32], plain: &mut [f32]) {
        let pixels = self.input.plane() / LANES;
        let channels = plain.chunks_exact_mut(self.chunk * pixels).take(self.geometry.in_channels);
        for (channel, plain) in channels.enumerate() {
            for (plain, x) in plain.iter_mut().zip(x.chunks_exact(LANES)) {
                *plain = x[channel];
            }
        }
    }

    /// Adds up the sums, in order, and writes the gradient of the weight in its own order
    /// `[out_channels, C, kernel_h, kernel_w]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the geometry gives it.
    pub fn unpack_weight_sum(&self, sums: &[&[f32]], dweight: &mut [f32]) -> Result<(), KernelError> {
        check_len("weight gradient", dweight.len(), self.geometry.weight_len())?;
        for sum in sums {
            check_len("sum of weight gradients", sum.len(), self.weight_sum_len())?;
        }
        let [vertical, horizontal] = self.geometry.windows;
        let (channels, taps) = (self.geometry.in_channels, vertical.kernel * horizontal.kernel);
        let vectors = self.channel_sum_len() / LANES;
        for at in 0..self.geometry.out_channels * vectors {
            let mut total = [0.0; LANES];
            for sum in sums {
                let own = &sum[at * LANES..][..LANES];
                total.iter_mut().zip(own).for_each(|(total, own)| *total += own);
            }
            let (out, vector) = (at / vectors, at % vectors);
            let dweight = &mut dweight[out * channels * taps..][..channels * taps];
            match self.weight {
                Form::Blocks(_) => {
                    let (first, tap) = (vector / taps * LANES, vector % taps);
                    let own = dweight[first * taps + tap..].iter_mut().step_by(taps);
                    own.zip(total).for_each(|(own, total)| *own = total);
                }
                Form::Rows(_) => {
                    let own = dweight[vector * horizontal.kernel..].iter_mut().take(horizontal.kernel);
                    own.zip(total.into_iter().step_by(horizontal.dilation))
                        .for_each(|(own, total)| *own = total);
                }
            }
        }
        Ok(())
    }
}

/// Where 3×3 taps side by side stand in rows of `row` elements.
#[inline(always)]
fn nine(row: usize) -> [usize; 9] {
    let [a, b, c] = [0, LANES, 2 * LANES];
    [a, b, c, row + a, row + b, row + c, 2 * row + a, 2 * row + b, 2 * row + c]
}

/// [`accumulate`] with any number of offsets.
#[inline(always)]
fn any_number<S: Simd, const SHIFT: u32>(
    s: S,
    list: &List,
    x: &[f32],
    offsets: &[usize],
    add: bool,
    sum: &mut [f32],
) {
    for (offsets, sum) in offsets.chunks(6).zip(sum.chunks_mut(6 * LANES)) {
        match *offsets {
            [a] => accumulate::<S, 1, 4, SHIFT>(s, list, x, [a], add, sum),
            [a, b] => accumulate::<S, 2, 4, SHIFT>(s, list, x, [a, b], add, sum),
            [a, b, c] => accumulate::<S, 3, 2, SHIFT>(s, list, x, [a, b, c], add, sum),
            [a, b, c, d] => accumulate::<S, 4, 2, SHIFT>(s, list, x, [a, b, c, d], add, sum),
            [a, b, c, d, e] => accumulate::<S, 5, 2, SHIFT>(s, list, x, [a, b, c, d, e], add, sum),
            [a, b, c, d, e, f] => accumulate::<S, 6, 2, SHIFT>(s, list, x, [a, b, c, d, e, f], add, sum),
            _ => {}
        }
    }
}

/// Adds to the `N` vectors of `sum`, which count as zero unless `add`, for all entries, the gradient times the vectors at the
/// `offsets` from the entry's start, which is divided by 2^`SHIFT`. `CHAINS` entries are worked on side by side, to hide the latency of additions.
#[inline(always)]
fn accumulate<S: Simd, const N: usize, const CHAINS: usize, const SHIFT: u32>(
    s: S,
    list: &List,
    x: &[f32],
    offsets: [usize; N],
    add: bool,
    sum: &mut [f32],
) {
    let sum = &mut sum[..N * LANES];
    let mut chains = [[s.splat(0.0); N]; CHAINS];
    let add_entry = |at: usize, chain: &mut [S::F; N]| {
        // SAFETY: both slices are of the list's length. The starts are those of a convolution with these very sizes, as the
        // signature of the lists proves; from a start, all offsets are within the block's plane, or in the room for plain
        // images, which has eight elements behind its last pixel.
        unsafe {
            let start = *list.starts.get_unchecked(at) as usize >> SHIFT;
            let gradient = s.broadcast(list.gradients, at);
            for (sum, offset) in chain.iter_mut().zip(offsets) {
                *sum = s.mul_add(s.load(x, start + offset), gradient, *sum);
            }
        }
    };
    let (mut at, len) = (0, list.starts.len());
    while at + CHAINS <= len {
        for (place, chain) in chains.iter_mut().enumerate() {
            add_entry(at + place, chain);
        }
        at += CHAINS;
    }
    for at in at..len {
        add_entry(at, &mut chains[0]);
    }
    for vector in 0..N {
        // SAFETY: `sum` has N vectors.
        let before = if add { unsafe { s.load(sum, vector * LANES) } } else { s.splat(0.0) };
        let total = chains.iter().fold(before, |total, chain| s.add(total, chain[vector]));
        // SAFETY: as above.
        unsafe { s.store(total, sum, vector * LANES) };
    }
}
