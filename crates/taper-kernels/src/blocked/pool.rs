//! Max and average pooling of blocked images.

mod avg;
mod max;

use std::ops::Range;

use crate::geometry::PoolGeometry;
use crate::simd::{LANES, Simd};

use super::layout::{Blocked, Runs};

pub use avg::BlockedAvgPool;
pub use max::BlockedMaxPool;

/// The windows of one pooling, found once.
#[derive(Debug, Clone)]
struct Windows {
    /// Sizes of the input.
    input: Blocked,
    /// Sizes of the output.
    output: Blocked,
    /// Taps along height and width.
    kernel: [usize; 2],
    /// Input elements from one tap to the next along height and width.
    dilation: [usize; 2],
    /// The windows along height, one for each row of the output.
    rows: Vec<Span>,
    /// The windows along width.
    columns: Vec<Span>,
    /// No element of the input is in two windows.
    apart: bool,
    /// Every element of the input is in a window.
    covered: bool,
}

/// The part of one window along one axis that falls on the input.
#[derive(Debug, Clone)]
struct Span {
    /// The taps that do.
    taps: Range<usize>,
    /// The element under the first of them.
    first: usize,
    /// How many elements average pooling divides by, along this axis.
    counted: usize,
}

impl Windows {
    fn new(g: &PoolGeometry, channels: usize) -> Self {
        let image = |[height, width]: [usize; 2]| Blocked::new([channels, height, width], 0);
        let [rows, columns] = [0, 1].map(|axis| -> Vec<Span> {
            (0..g.output[axis]).map(|position| Span::new(g, axis, position)).collect()
        });
        let uses = [0, 1].map(|axis| {
            let mut uses = vec![0usize; g.input[axis]];
            for span in [&rows, &columns][axis] {
                (0..span.taps.len()).for_each(|tap| uses[span.first + tap * g.windows[axis].dilation] += 1);
            }
            uses
        });
        Self {
            input: image(g.input),
            output: image(g.output),
            kernel: [0, 1].map(|axis| g.windows[axis].kernel),
            dilation: [0, 1].map(|axis| g.windows[axis].dilation),
            rows,
            columns,
            apart: uses.iter().flatten().all(|&uses| uses <= 1),
            covered: uses.iter().flatten().all(|&uses| uses >= 1),
        }
    }

    /// Calls `visit(image, block, row of the output, where its first pixel stands)` for each row of an output laid out
    /// as `layout`.
    #[inline(always)]
    fn for_each_output_row(
        &self,
        images: usize,
        layout: Blocked,
        mut visit: impl FnMut(usize, usize, usize, usize),
    ) {
        for image in 0..images {
            for block in 0..layout.blocks() {
                for row in 0..layout.height {
                    visit(image, block, row, image * layout.image() + layout.at(block, row, 0));
                }
            }
        }
    }

    /// Where the first tap of a window stands in images laid out as `layout`.
    #[inline(always)]
    fn first_tap(&self, layout: Blocked, image: usize, block: usize, row: &Span, column: &Span) -> usize {
        image * layout.image() + layout.at(block, row.first, column.first)
    }

    /// Elements from one tap to the next along height and width, in images laid out as `layout`.
    #[inline(always)]
    fn steps(&self, layout: Blocked) -> [usize; 2] {
        [self.dilation[0].saturating_mul(layout.row()), self.dilation[1] * LANES]
    }

    /// Zeros all of `dx` but its halo, unless each of its elements is stored anyway.
    fn clear(&self, images: usize, layout: Blocked, dx: &mut [f32]) {
        if !(self.apart && self.covered) {
            let runs = Runs::new(self.input, [layout.halo]);
            runs.for_all(images, |[start], len| dx[start..start + len].fill(0.0));
        }
    }
}

impl Span {
    fn new(g: &PoolGeometry, axis: usize, position: usize) -> Self {
        let (window, input) = (g.windows[axis], g.input[axis]);
        let taps = window.taps(position, input);
        let first = if taps.is_empty() { 0 } else { window.element(position, taps.start) };
        // As in PyTorch padding counts, but not what ceil mode lets hang over beyond it.
        let end = (position * window.stride + window.kernel).min(input + 2 * window.padding);
        let padded = end - position * window.stride;
        let counted = if g.count_include_pad { padded } else { taps.len() };
        Self { taps, first, counted }
    }

    /// Whether all of `kernel` taps fall on the input.
    #[inline(always)]
    fn is_whole(&self, kernel: usize) -> bool {
        self.taps.len() == kernel
    }
}

/// Stores `value`, or adds it to what is there with `ADD`.
///
/// # Safety
/// `at + 8 <= y.len()`.
#[inline(always)]
unsafe fn put<S: Simd, const ADD: bool>(s: S, value: S::F, y: &mut [f32], at: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let value = if ADD { s.add(s.load(y, at), value) } else { value };
        s.store(value, y, at);
    }
}
