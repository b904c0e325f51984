//! One convolution in the Winograd domain, forward or backward.

use std::ops::Range;

use super::pack::{Channels, PANEL};
use super::stages::{LINE, Points, multiply, to_plane, to_points};
use super::tiles::{Chunk, PAIRS, Tiling};
use super::transform::Input;
use crate::blocked::{Blocked, Emit};
use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::{LANES, dispatch};

/// Multiply-adds that take as long as a tile's transform of one channel, with what else there is to do per tile.
const TRANSFORM: usize = 400;

/// A stride-1 3×3 convolution from one layout to another.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) input: Blocked,
    /// Without a halo.
    pub(super) output: Blocked,
    pub(super) padding: [usize; 2],
    pub(super) channels: Channels,
    pub(super) tiling: Tiling,
    pub(super) isa: Isa,
}

/// The parts of the scratch space.
struct Scratch<'a> {
    values: &'a mut [f32],
    results: &'a mut [f32],
    planes: &'a mut [f32],
}

impl Pass {
    pub(super) fn new(
        input: Blocked,
        output: Blocked,
        padding: [usize; 2],
        transposed: bool,
        isa: Isa,
    ) -> Self {
        let channels = Channels { inputs: input.channels, outputs: output.channels, transposed };
        let tiling = Tiling::new(output.height, output.width);
        Self { input, output, padding, channels, tiling, isa }
    }

    /// Tiles whose values and products stay in the second-level cache; more where the weight does not, so that
    /// streaming it is worth while.
    fn most_tiles(&self) -> usize {
        let floats = (self.channels.packed_len() / 4).clamp(75 << 10, 1 << 20);
        (floats / (PAIRS * (self.input.blocks() * LANES + PANEL))).max(1)
    }

    /// Whether fewer operations are likely than for direct convolution, the transforms of a tile counted as measured.
    pub(super) fn worthwhile(&self) -> bool {
        let (inputs, outputs) = (self.input.blocks() * LANES, self.output.blocks() * LANES);
        let tiles = &self.tiling.tiles;
        let points: usize = tiles.iter().map(|t| (5 + usize::from(t.tall)) * (5 + usize::from(t.wide))).sum();
        let products = self.channels.inputs * outputs;
        let saved = (9 * self.output.pixels()).saturating_sub(points) * products;
        saved > TRANSFORM * tiles.len() * (inputs + outputs)
    }

    fn values(&self, tiles: usize) -> Points {
        Points::new(tiles, self.input.blocks() * LANES)
    }

    fn results(&self, tiles: usize) -> Points {
        Points::new(tiles, PANEL)
    }

    /// Planes kept at a time: one, or all of an image that does not fit a chunk.
    fn planes(&self) -> usize {
        if self.tiling.whole(self.most_tiles()) { 1 } else { self.output.blocks() }
    }

    pub(super) fn scratch_len(&self, images: usize) -> usize {
        let tiles = self.tiling.largest(images, self.most_tiles());
        self.values(tiles).len() + self.results(tiles).len() + self.planes() * self.output.plane() + LINE
    }

    pub(super) fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        check_len("weight", weight.len(), self.channels.inputs * self.channels.outputs * 9)?;
        check_len("packed", packed.len(), self.channels.packed_len())?;
        // SAFETY: the lengths are checked.
        dispatch!(self.isa, |s| unsafe { self.channels.pack(s, weight, packed) });
        Ok(())
    }

    /// Convolves `images` images to the channels of some panels; `emit` gets each plane.
    pub(super) fn run(
        &self,
        panels: Range<usize>,
        images: usize,
        x: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Result<(), KernelError> {
        check_len("packed", packed.len(), self.channels.packed_len())?;
        check_len("images", x.len(), self.input.elements(images))?;
        let most = self.most_tiles();
        let tiles = self.tiling.largest(images, most);
        let (inputs, outputs) = (self.values(tiles), self.results(tiles));
        let [values, results, planes] = split(
            scratch,
            self.scratch_len(images),
            [inputs.len(), outputs.len(), self.planes() * self.output.plane()],
        )?;
        let mut scratch = Scratch { values, results, planes };
        for chunk in self.tiling.chunks(images, most) {
            let from = (&self.input, self.padding.map(|padding| -(padding as isize)));
            // SAFETY: the lengths are checked, and the scratch space has room for every chunk.
            dispatch!(self.isa, |s| unsafe {
                to_points::<_, Input<4>, Input<3>>(
                    s,
                    &self.tiling,
                    &chunk,
                    from,
                    x,
                    (inputs, scratch.values),
                );
            });
            self.multiply_chunk(&panels, &chunk, packed, (inputs, outputs), &mut scratch, emit);
        }
        Ok(())
    }

    fn multiply_chunk(
        &self,
        panels: &Range<usize>,
        chunk: &Chunk,
        packed: &[f32],
        (inputs, outputs): (Points, Points),
        scratch: &mut Scratch<'_>,
        emit: &mut Emit<'_>,
    ) {
        let keep = self.planes() > 1;
        let plane_len = self.output.plane();
        for panel in self.channels.panels().take(panels.end).skip(panels.start) {
            // SAFETY: the lengths are checked, and the scratch space has room for every chunk.
            dispatch!(self.isa, |s| unsafe {
                let channels = (&self.channels, panel);
                multiply(s, channels, chunk, (inputs, scratch.values), packed, (outputs, scratch.results));
            });
            for (n, image) in chunk.images.clone().enumerate() {
                for first in (0..panel.width).step_by(LANES) {
                    let block = (panel.first + first) / LANES;
                    let plane = &mut scratch.planes[if keep { block * plane_len } else { 0 }..][..plane_len];
                    // SAFETY: as above; the plane has its length.
                    dispatch!(self.isa, |s| unsafe {
                        let results = (outputs, &*scratch.results, first);
                        to_plane(s, &self.tiling, (chunk, n), results, (&self.output, plane));
                    });
                    if chunk.last {
                        emit(image, block, plane);
                    }
                }
            }
        }
    }
}

/// Parts of the given lengths, of which there are `N`, from the first cache line of `scratch` on.
pub(super) fn split<const N: usize>(
    scratch: &mut [f32],
    expected: usize,
    lengths: [usize; N],
) -> Result<[&mut [f32]; N], KernelError> {
    let found = scratch.len();
    let short = || KernelError::Length { what: "scratch", expected, found };
    if found < expected {
        return Err(short());
    }
    let skip = scratch.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
    let mut rest = scratch.get_mut(skip..).ok_or_else(short)?;
    let mut parts: [&mut [f32]; N] = std::array::from_fn(|_| Default::default());
    for (part, len) in parts.iter_mut().zip(lengths) {
        (*part, rest) = rest.split_at_mut_checked(len).ok_or_else(short)?;
    }
    Ok(parts)
}
