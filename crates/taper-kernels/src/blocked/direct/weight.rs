//! The gradient of the weight: for each tap of each channel a sum over all pixels.

use super::DirectConv;
use super::tiles::{Product, Span};
use crate::error::KernelError;
use crate::simd::{LANES, Simd};

/// Pixels that the sums run over at a time, so that inputs and gradients stay in the first-level cache.
const PIXELS: usize = 256;

impl DirectConv {
    /// For each unit of output channels, as many pixels at a time as stay in the first-level cache: the rest of a large
    /// image, or several small images.
    pub(super) fn add_weight_gradient<S: Simd>(
        &self,
        s: S,
        images: usize,
        x: &[f32],
        dz: &[f32],
        sum: &mut [f32],
    ) -> Result<(), KernelError> {
        let (x_image, dz_image) = (self.forward.read.image(), self.backward.read.image());
        let at_once = (PIXELS / self.gradient.len().max(1)).max(1);
        for unit in 0..self.forward.units.len() {
            for first in (0..images).step_by(at_once) {
                let count = at_once.min(images - first);
                let (x, dz) = (&x[first * x_image..], &dz[first * dz_image..]);
                for pixels in self.gradient.parts(PIXELS) {
                    self.add_unit(s, unit, count, pixels, [x, dz], sum)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the products at `pixels` of the first `images` images to the sum of one unit.
    fn add_unit<S: Simd>(
        &self,
        s: S,
        index: usize,
        images: usize,
        pixels: Span<'_>,
        [x, dz]: [&[f32]; 2],
        sum: &mut [f32],
    ) -> Result<(), KernelError> {
        let (forward, unit) = (&self.forward, &self.forward.units[index]);
        let sum = &mut sum[index * forward.unit_len..(index + 1) * forward.unit_len];
        for scan in &forward.scans {
            let product = Product {
                rows: scan.taps.all(),
                sums: pixels,
                images,
                x: &x[unit.read..],
                x_image: forward.read.image(),
                b: &dz[unit.block * self.backward.read.plane()..],
                b_image: self.backward.read.image(),
                b_step: self.backward.read.plane(),
                y_step: LANES,
                vectors: unit.vectors,
                apart: forward.depthwise(),
                add: true,
            };
            product.run(s, sum)?;
        }
        Ok(())
    }
}
