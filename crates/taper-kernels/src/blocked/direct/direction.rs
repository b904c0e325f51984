//! A convolution in one direction: from images to outputs, or from gradients of outputs to gradients of images.

use std::ops::Range;

use super::phase::Phase;
use super::tiles::{Offsets, Product};
use crate::blocked::{Blocked, Emit};
use crate::error::KernelError;
use crate::geometry::ConvGeometry;
use crate::simd::{LANES, Simd};

/// Taps whose weights stay in the first-level cache while all pixels pass: 20 KiB.
const PASS: usize = 320;

/// Pixels that a pass over weights runs over, if the images are small: then the weights of a pass are fetched once for
/// several images.
const PIXELS: usize = 256;

/// One or two blocks of written channels.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// The first of them.
    pub(super) block: usize,
    /// How many blocks.
    pub(super) vectors: usize,
    /// How many channels.
    pub(super) lanes: usize,
    /// Where in a read image the channels start that it reads.
    pub(super) read: usize,
    /// Its first weight in the plain layout.
    pub(super) weight: usize,
}

/// The pixels that read by the same taps.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// Where each pixel reads, and where it is written.
    pub(super) pixels: Offsets,
    /// For each tap of each channel, where it reads, from its pixel on, and where its weights stand in the unit.
    pub(super) taps: Offsets,
}

/// How channels are read and weights are stored, of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    pub(super) groups: usize,
    /// Channels of a group, read and written.
    pub(super) read: usize,
    pub(super) written: usize,
    /// Plain weights from one channel to the next, read and written.
    pub(super) read_step: usize,
    pub(super) written_step: usize,
    /// Plain weights of a group.
    pub(super) group_weights: usize,
    /// Whether each channel is read only by itself.
    pub(super) depthwise: bool,
}

/// A convolution in one direction.
#[derive(Debug, Clone)]
pub(super) struct Direction {
    pub(super) units: Vec<Unit>,
    pub(super) scans: Vec<Scan>,
    pub(super) read: Blocked,
    pub(super) channels: Channels,
    /// For every tap of every channel where its weight stands in the plain layout and where in the packed, from the
    /// unit's first on, in the order of the plain layout.
    pub(super) order: Vec<[usize; 2]>,
    /// Elements of one written block of channels.
    plane: usize,
    /// Packed weights of one unit.
    pub(super) unit_len: usize,
}

impl Direction {
    /// `taps` are those of the kernel, row by row, `kernel_width` a row. `read` must have the halo that the phases need.
    pub(super) fn new(
        channels: Channels,
        read: Blocked,
        [height, width]: [usize; 2],
        kernel_width: usize,
        [vertical, horizontal]: [&[Phase]; 2],
    ) -> Self {
        let (mut scans, mut order) = (Vec::new(), Vec::new());
        for vertical in vertical {
            for horizontal in horizontal {
                let taps = taps(&channels, &read, kernel_width, [vertical, horizontal], &mut order);
                let pixels = pixels(&read, width, [vertical, horizontal], taps.is_empty());
                scans.push(Scan { pixels, taps });
            }
        }
        order.sort_unstable();
        let unit_len = order.len() * channels.width();
        let (units, plane) = (units(&channels, &read), height * width * LANES);
        Self { units, scans, read, channels, order, plane, unit_len }
    }

    pub(super) fn packed_len(&self) -> usize {
        self.units.len().saturating_mul(self.unit_len)
    }

    pub(super) fn scratch_len(&self) -> usize {
        self.at_once().saturating_mul(2).saturating_mul(self.plane)
    }

    /// Images that pass at a time.
    fn at_once(&self) -> usize {
        (PIXELS * LANES / self.plane.max(1)).max(1)
    }

    pub(super) fn depthwise(&self) -> bool {
        self.channels.depthwise
    }

    /// Convolves images to the channels of some units; all lengths have been checked.
    pub(super) fn run<S: Simd>(
        &self,
        s: S,
        units: Range<usize>,
        x: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Result<(), KernelError> {
        for (part, x) in x.chunks(self.at_once() * self.read.image()).enumerate() {
            for (index, unit) in self.units.iter().enumerate().take(units.end).skip(units.start) {
                let packed = &packed[index * self.unit_len..(index + 1) * self.unit_len];
                for scan in &self.scans {
                    self.scan(s, unit, scan, x, packed, scratch)?;
                }
                for image in 0..x.len() / self.read.image() {
                    let planes = &mut scratch[image * 2 * self.plane..];
                    self.emit(part * self.at_once() + image, unit, planes, emit);
                }
            }
        }
        Ok(())
    }

    /// Hands over the planes of one unit of one image.
    fn emit(&self, image: usize, unit: &Unit, planes: &mut [f32], emit: &mut Emit<'_>) {
        for (vector, plane) in planes.chunks_exact_mut(self.plane).take(unit.vectors).enumerate() {
            let lanes = (unit.lanes - vector * LANES).min(LANES);
            if lanes < LANES {
                // Zero weights alone would let infinities and NaN into the channels beyond the last.
                plane.chunks_exact_mut(LANES).for_each(|pixel| pixel[lanes..].fill(0.0));
            }
            emit(image, unit.block + vector, plane);
        }
    }

    /// The pixels of one scan of some images, in passes over the taps.
    fn scan<S: Simd>(
        &self,
        s: S,
        unit: &Unit,
        scan: &Scan,
        x: &[f32],
        packed: &[f32],
        planes: &mut [f32],
    ) -> Result<(), KernelError> {
        for (pass, sums) in scan.taps.parts(PASS).enumerate() {
            let images = x.chunks_exact(self.read.image());
            for (x, planes) in images.zip(planes.chunks_exact_mut(2 * self.plane)) {
                let product = Product {
                    rows: scan.pixels.all(),
                    sums,
                    images: 1,
                    x: &x[unit.read..],
                    x_image: 0,
                    b: packed,
                    b_image: 0,
                    b_step: LANES,
                    y_step: self.plane,
                    vectors: unit.vectors,
                    apart: self.channels.depthwise,
                    add: pass > 0,
                };
                product.run(s, planes)?;
            }
        }
        Ok(())
    }
}

impl Channels {
    /// Those of the forward direction; `None` if the grouping is unsupported.
    pub(super) fn forward(geometry: &ConvGeometry) -> Option<Self> {
        let (read, written) = (geometry.group_in(), geometry.group_out());
        let depthwise = geometry.groups > 1 && read == 1 && written == 1;
        let whole_blocks = read.is_multiple_of(LANES) && written.is_multiple_of(LANES);
        let taps = geometry.windows[0].kernel * geometry.windows[1].kernel;
        (geometry.groups == 1 || depthwise || whole_blocks).then(|| Self {
            groups: geometry.groups,
            read,
            written,
            read_step: taps,
            written_step: read * taps,
            group_weights: written * read * taps,
            depthwise,
        })
    }

    /// Those of the gradient of the input.
    pub(super) fn reversed(self) -> Self {
        let (read, written) = (self.written, self.read);
        Self { read, written, read_step: self.written_step, written_step: self.read_step, ..self }
    }

    /// Weights of one tap of one unit.
    pub(super) fn width(&self) -> usize {
        if self.depthwise { LANES } else { 2 * LANES }
    }
}

/// The written channels of every group by twos of blocks, or by blocks for a depthwise convolution.
fn units(channels: &Channels, read: &Blocked) -> Vec<Unit> {
    let mut units = Vec::new();
    let width = channels.width();
    let (groups, written) =
        if channels.depthwise { (1, channels.groups) } else { (channels.groups, channels.written) };
    for group in 0..groups {
        for first in (0..written).step_by(width) {
            let lanes = (written - first).min(width);
            let read_block =
                if channels.depthwise { first / LANES } else { group * channels.read.div_ceil(LANES) };
            units.push(Unit {
                block: group * written.div_ceil(LANES) + first / LANES,
                vectors: lanes.div_ceil(LANES),
                lanes,
                read: read_block * read.plane(),
                weight: group * channels.group_weights + first * channels.written_step,
            });
        }
    }
    units
}

/// Where every tap of every channel reads and where its weights stand; `order` as in [`Direction`] but unsorted.
/// Channels of a block follow one another for the same tap: they share a line of the cache.
fn taps(
    channels: &Channels,
    read: &Blocked,
    kernel_width: usize,
    [vertical, horizontal]: [&Phase; 2],
    order: &mut Vec<[usize; 2]>,
) -> Offsets {
    let count = if channels.depthwise { 1 } else { channels.read };
    let mut taps = Vec::new();
    for first in (0..count).step_by(LANES) {
        for &(row, down) in &vertical.taps {
            for &(column, right) in &horizontal.taps {
                let pixel = (down - vertical.low()) as usize * read.row()
                    + (right - horizontal.low()) as usize * LANES;
                for channel in first..count.min(first + LANES) {
                    let from = channel / LANES * read.plane() + pixel + channel % LANES;
                    let packed = order.len() * channels.width();
                    taps.push([from, packed]);
                    order.push([channel * channels.read_step + row * kernel_width + column, packed]);
                }
            }
        }
    }
    taps.into_iter().collect()
}

/// Where every pixel's first tap reads and where the pixel is written.
fn pixels(read: &Blocked, width: usize, [vertical, horizontal]: [&Phase; 2], no_taps: bool) -> Offsets {
    // Where there are no taps nothing is read: the gradient is zero.
    let start = |phase: &Phase, i: usize| {
        if no_taps { 0 } else { ((i * phase.read_step + read.halo) as isize + phase.low()) as usize }
    };
    let place = |phase: &Phase, i: usize| phase.first + i * phase.step;
    let pixel = |i, j| {
        let from = start(vertical, i) * read.row() + start(horizontal, j) * LANES;
        [from, (place(vertical, i) * width + place(horizontal, j)) * LANES]
    };
    (0..vertical.count)
        .flat_map(|i| (0..horizontal.count).map(move |j| (i, j)))
        .map(|(i, j)| pixel(i, j))
        .collect()
}
