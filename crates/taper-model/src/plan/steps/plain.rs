//! Convolution through `[N, C, H, W]`, for groups that are no whole blocks of channels.

use taper_graph::Conv2d;
use taper_kernels::blocked::Blocked;
use taper_kernels::{ConvGeometry, ConvGradients, conv2d, conv2d_backward};

use super::kernel::Emit;
use crate::error::ModelError;
use crate::plan::step::Outcome;

/// As the other kernels, but slower: it copies everything twice.
#[derive(Debug)]
pub(crate) struct PlainConv {
    input: Blocked,
    /// For one image.
    geometry: ConvGeometry,
}

impl PlainConv {
    pub(crate) fn new(conv: &Conv2d, input: Blocked) -> Result<Self, ModelError> {
        let image = [input.channels, input.height, input.width];
        let geometry = ConvGeometry::new(conv, 1, image)?;
        Ok(Self { input, geometry })
    }

    fn over(&self, images: usize) -> ConvGeometry {
        ConvGeometry { batch: images, ..self.geometry.clone() }
    }

    pub(crate) fn output(&self) -> Blocked {
        let [height, width] = self.geometry.output;
        Blocked::new([self.geometry.out_channels, height, width], 0)
    }

    pub(crate) fn packed_len(&self) -> usize {
        self.geometry.weight_len()
    }

    #[expect(clippy::unused_self, reason = "the same signature as the other kernels'")]
    pub(crate) fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Outcome {
        packed.copy_from_slice(weight);
        Ok(())
    }

    pub(crate) fn backward_packed_len(&self) -> usize {
        self.packed_len()
    }

    pub(crate) fn pack_backward(&self, weight: &[f32], packed: &mut [f32]) -> Outcome {
        self.pack(weight, packed)
    }

    #[expect(clippy::unused_self, reason = "the same signature as the other kernels'")]
    pub(crate) fn gradient_halo(&self) -> usize {
        0
    }

    /// Room for input and output without halos in both layouts.
    pub(crate) fn scratch_len(&self, images: usize) -> usize {
        images * (self.input.with_halo(0).image() + self.output().image()) * 2
    }

    pub(crate) fn forward(
        &self,
        images: usize,
        x: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Outcome {
        let g = self.over(images);
        let (plain, rest) = scratch.split_at_mut(g.input_len());
        let (y, rest) = rest.split_at_mut(g.output_len());
        self.input.unpack(x, plain)?;
        // One image at a time: a product over more pixels may round in another way.
        let each =
            plain.chunks_exact(g.input_len() / images).zip(y.chunks_exact_mut(g.output_len() / images));
        each.into_iter().try_for_each(|(x, y)| conv2d(&self.geometry, x, packed, None, y))?;
        emit_planes(self.output(), images, y, rest, emit)
    }

    pub(crate) fn backward_input(
        &self,
        images: usize,
        dz: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Outcome {
        let g = self.over(images);
        let (dx, rest) = scratch.split_at_mut(g.input_len());
        let (dy, rest) = rest.split_at_mut(g.output_len());
        self.output().unpack(dz, dy)?;
        let mut unwanted = vec![0.0; g.weight_len()];
        // The input's values do not matter for the input's gradient.
        let gradients = ConvGradients { x: Some(dx), weight: &mut unwanted, bias: None };
        conv2d_backward(&g, &vec![0.0; g.input_len()], packed, dy, gradients)?;
        emit_planes(self.input.with_halo(0), images, dx, rest, emit)
    }

    pub(crate) fn weight_sum_len(&self) -> usize {
        self.packed_len()
    }

    pub(crate) fn backward_weight(
        &self,
        images: usize,
        x: &[f32],
        dz: &[f32],
        scratch: &mut [f32],
        sum: &mut [f32],
    ) -> Outcome {
        let g = self.over(images);
        let (plain, rest) = scratch.split_at_mut(g.input_len());
        let dy = &mut rest[..g.output_len()];
        self.input.unpack(x, plain)?;
        self.output().unpack(dz, dy)?;
        let mut part = vec![0.0; g.weight_len()];
        let gradients = ConvGradients { x: None, weight: &mut part, bias: None };
        conv2d_backward(&g, plain, &vec![0.0; g.weight_len()], dy, gradients)?;
        sum.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "the same signature as the other kernels'")]
    pub(crate) fn unpack_weight_sum(&self, sums: &[&[f32]], dweight: &mut [f32]) -> Outcome {
        dweight.fill(0.0);
        for sum in sums {
            dweight.iter_mut().zip(*sum).for_each(|(total, part)| *total += part);
        }
        Ok(())
    }
}

/// Hands over images `[N, C, H, W]` plane by plane.
fn emit_planes(
    layout: Blocked,
    images: usize,
    plain: &[f32],
    scratch: &mut [f32],
    emit: &mut Emit<'_>,
) -> Outcome {
    let blocked = &mut scratch[..images * layout.image()];
    layout.pack(plain, blocked)?;
    for (number, plane) in blocked.chunks_exact_mut(layout.plane()).enumerate() {
        emit(number / layout.blocks(), number % layout.blocks(), plane);
    }
    Ok(())
}
