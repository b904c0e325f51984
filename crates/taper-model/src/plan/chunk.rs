//! A fixed share of a batch, with the buffers of all its values.

use std::ops::Range;

use taper_kernels::Aligned;
use taper_kernels::blocked::Blocked;

/// Where a value of the graph is kept.
#[derive(Debug, Clone)]
pub(crate) struct Buffer {
    /// How an image lies in it. A row of features `[N, F]` is an image of F channels and one pixel.
    pub(crate) layout: Blocked,
    /// Whether it is read only by the run of steps that writes it, so that one group of images after the other can use
    /// the same place. Never in training, where the backward pass reads everything again.
    pub(crate) transient: bool,
    /// Whether a gradient of it is needed.
    pub(crate) gradient: bool,
    /// Whether the gradient is made and read by the same run of steps, as `transient` says of the value.
    pub(crate) passing: bool,
}

impl Buffer {
    /// Where the value of these images of a chunk is.
    pub(crate) fn range(&self, images: &Range<usize>) -> Range<usize> {
        let len = self.layout.image();
        if self.transient { 0..images.len() * len } else { images.start * len..images.end * len }
    }

    /// Where the gradient of these images of a chunk is.
    pub(crate) fn gradient_range(&self, images: &Range<usize>) -> Range<usize> {
        let len = self.gradient_len();
        if self.passing { 0..images.len() * len } else { images.start * len..images.end * len }
    }

    /// Elements of one image's gradient, which has no halo.
    pub(crate) fn gradient_len(&self) -> usize {
        self.layout.with_halo(0).image()
    }
}

/// A share of the batch that one task works through. How a batch is cut into chunks depends on its size alone, so that
/// sums over a chunk, and over all chunks in order, are the same for any number of threads. For the tail of a plan
/// neighbouring chunks are brought together in larger ones, a share for every thread, over which nothing is summed.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The number in the whole batch of its first image.
    pub(crate) first: usize,
    pub(crate) images: usize,
    /// By buffer.
    pub(crate) values: Vec<Aligned>,
    /// By buffer.
    pub(crate) gradients: Vec<Aligned>,
    /// By step.
    pub(crate) saved: Vec<Vec<u8>>,
    /// By step.
    pub(crate) sums: Vec<Sums>,
    /// By step: what a [`Barrier`](super::step::Barrier) saw.
    pub(crate) observed: Vec<Vec<f64>>,
    /// How many images each of the parts has whose losses are summed up: these do not depend on how chunks are brought together.
    pub(crate) parts: Vec<usize>,
    /// Sum of the losses of each part.
    pub(crate) losses: Vec<f64>,
    /// How many images were classified correctly.
    pub(crate) correct: usize,
}

impl Chunk {
    /// The numbers in the whole batch of its images.
    pub(crate) fn range(&self) -> Range<usize> {
        self.first..self.first + self.images
    }
}

/// What a step adds up over the images of a chunk, in up to three parts. A part that a chunk does not touch costs
/// nothing.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    parts: [Aligned; 3],
    used: [bool; 3],
}

impl Sums {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.used = [false; 3];
    }

    /// Part number `part`, and whether it has been used before; if not, it holds anything.
    pub(crate) fn part_to_fill(&mut self, part: usize, len: usize) -> (&mut [f32], bool) {
        let sum = &mut self.parts[part];
        sum.grow(len);
        (sum, std::mem::replace(&mut self.used[part], true))
    }

    /// Part number `part`, zero at first use.
    pub(crate) fn part(&mut self, part: usize, len: usize) -> &mut [f32] {
        let sum = &mut self.parts[part];
        if !std::mem::replace(&mut self.used[part], true) {
            sum.fill(0.0);
            sum.grow(len);
        }
        sum
    }

    /// Two parts at once.
    pub(crate) fn two_parts(&mut self, [a, b]: [usize; 2], lens: [usize; 2]) -> [&mut [f32]; 2] {
        self.part(a, lens[0]);
        self.part(b, lens[1]);
        match self.parts.get_disjoint_mut([a, b]) {
            Ok([a, b]) => [a, b],
            Err(_) => [&mut [], &mut []],
        }
    }

    /// Part number `part`, if this chunk has it.
    pub(crate) fn used(&self, part: usize) -> Option<&[f32]> {
        self.used[part].then_some(&self.parts[part][..])
    }
}
