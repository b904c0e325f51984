//! Convolution through `[N, C, H, W]`, for groups that are no whole blocks of channels.

use taper_graph::Conv2d;
use taper_kernels::blocked::Blocked;
use taper_kernels::{ConvGeometry, ConvGradients, conv2d, conv2d_backward};

use super::kernel::{Emit, ToInput};
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

    /// Room for input and output without halos in both layouts, and for a gradient of the weight.
    pub(crate) fn scratch_len(&self, images: usize) -> usize {
        images * (self.input.with_halo(0).image() * 3 + self.output().image() * 2) + self.packed_len()
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

    pub(crate) fn weight_sum_len(&self) -> usize {
        self.packed_len()
    }

    /// Adds the weight's gradient to `sum`, and hands over the input's if it is wanted: the kernel finds both at once.
    pub(crate) fn backward(
        &self,
        images: usize,
        [x, dz]: [&[f32]; 2],
        scratch: &mut [f32],
        sum: &mut [f32],
        input: Option<ToInput<'_, '_>>,
    ) -> Outcome {
        let g = self.over(images);
        let (part, rest) = scratch.split_at_mut(g.weight_len());
        let (plain, rest) = rest.split_at_mut(g.input_len());
        let (dy, rest) = rest.split_at_mut(g.output_len());
        let (dx, rest) = rest.split_at_mut(if input.is_some() { g.input_len() } else { 0 });
        self.input.unpack(x, plain)?;
        self.output().unpack(dz, dy)?;
        let size = self.task();
        let mut dxs = dx.chunks_mut(size * self.geometry.input_len());
        let shares = plain.chunks(size * self.geometry.input_len());
        for (x, dy) in shares.zip(dy.chunks(size * self.geometry.output_len())) {
            let g = self.over(x.len() / self.geometry.input_len());
            let gradients = ConvGradients { x: dxs.next(), weight: &mut *part, bias: None };
            // Without a gradient of the input the weight is not read; anything of its length will do.
            let weight = input.as_ref().map_or(&*sum, |input| input.packed);
            conv2d_backward(&g, x, weight, dy, gradients)?;
            sum.iter_mut().zip(&*part).for_each(|(sum, part)| *sum += part);
        }
        match input {
            Some(input) => emit_planes(self.input.with_halo(0), images, dx, rest, input.emit),
            None => Ok(()),
        }
    }

    /// How many images the kernel makes one task of. With more it would call for other threads, while this one already
    /// is one of those that share the batch.
    fn task(&self) -> usize {
        const PIXELS: usize = 200;
        let [height, width] = self.geometry.output;
        (PIXELS / (height * width).max(1)).clamp(1, 10)
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
