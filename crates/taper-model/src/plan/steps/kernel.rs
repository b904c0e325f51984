//! Which kernel a convolution runs on.

use std::ops::Range;

use taper_graph::Conv2d;
use taper_kernels::Isa;
use taper_kernels::blocked::{Blocked, DirectConv, WinogradConv};

use super::plain::PlainConv;
use crate::error::ModelError;
use crate::plan::step::Outcome;

/// Where a kernel hands over a finished plane: image, block of channels, `[H·W·8]`.
pub(crate) type Emit<'a> = dyn FnMut(usize, usize, &mut [f32]) + 'a;

/// What the gradient of the input is made with, and where it goes.
pub(crate) struct ToInput<'a, 'b> {
    /// The weight, as [`ConvKernel::pack_backward`] has it.
    pub(crate) packed: &'a [f32],
    pub(crate) emit: &'a mut Emit<'b>,
}

/// A convolution on blocked images.
#[derive(Debug)]
pub(crate) enum ConvKernel {
    /// Winograd's F(4×4, 3×3): a quarter of the multiplications, for 3×3 with stride 1.
    Winograd(WinogradConv),
    /// Register-blocked, for everything else without odd groups.
    Direct(DirectConv),
    /// Through `[N, C, H, W]` and a matrix product, for odd groups.
    Plain(PlainConv),
}

/// Calls the same method of whichever kernel it is.
macro_rules! each {
    ($self:expr, $kernel:ident => $call:expr) => {
        match $self {
            ConvKernel::Winograd($kernel) => $call,
            ConvKernel::Direct($kernel) => $call,
            ConvKernel::Plain($kernel) => $call,
        }
    };
}

impl ConvKernel {
    /// The fastest that can do `conv` on `input`.
    pub(crate) fn new(conv: &Conv2d, input: Blocked, isa: Isa) -> Result<Self, ModelError> {
        if WinogradConv::worthwhile(conv, input)
            && let Some(kernel) = WinogradConv::new(conv, input, isa)
        {
            return Ok(Self::Winograd(kernel));
        }
        let direct = DirectConv::new(conv, input, isa).filter(|_| input.halo >= DirectConv::halo(conv));
        match direct {
            Some(kernel) => Ok(Self::Direct(kernel)),
            None => Ok(Self::Plain(PlainConv::new(conv, input)?)),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Winograd(_) => "winograd F(4×4, 3×3)",
            Self::Direct(_) => "direct",
            Self::Plain(_) => "im2col",
        }
    }

    pub(crate) fn output(&self) -> Blocked {
        each!(self, kernel => kernel.output())
    }

    pub(crate) fn packed_len(&self) -> usize {
        each!(self, kernel => kernel.packed_len())
    }

    pub(crate) fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Outcome {
        each!(self, kernel => kernel.pack(weight, packed))
    }

    pub(crate) fn scratch_len(&self, images: usize) -> usize {
        match self {
            Self::Winograd(kernel) => kernel.scratch_len(images),
            Self::Direct(kernel) => kernel.scratch_len(),
            Self::Plain(kernel) => kernel.scratch_len(images),
        }
    }

    /// Into how many parts the output channels can be cut; 1 if not.
    pub(crate) fn parts(&self) -> usize {
        match self {
            Self::Winograd(kernel) => kernel.parts(),
            Self::Direct(kernel) => kernel.parts(),
            Self::Plain(_) => 1,
        }
    }

    /// The first block of channels of a part, or the number of blocks behind the last part.
    pub(crate) fn part_start(&self, part: usize) -> usize {
        match self {
            Self::Winograd(kernel) => kernel.part_start(part),
            Self::Direct(kernel) => kernel.part_start(part),
            Self::Plain(kernel) => part.min(1) * kernel.output().blocks(),
        }
    }

    /// Convolves to some parts of the channels; what cannot be cut has but one.
    pub(crate) fn forward_parts(
        &self,
        parts: Range<usize>,
        images: usize,
        x: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Outcome {
        match self {
            Self::Winograd(kernel) => kernel.forward_parts(parts, images, x, packed, scratch, emit),
            Self::Direct(kernel) => kernel.forward_parts(parts, images, x, packed, scratch, emit),
            Self::Plain(kernel) => kernel.forward(images, x, packed, scratch, emit),
        }
    }

    /// The halo of the output's gradient.
    pub(crate) fn gradient_halo(&self) -> usize {
        each!(self, kernel => kernel.gradient_halo())
    }

    pub(crate) fn backward_packed_len(&self) -> usize {
        each!(self, kernel => kernel.backward_packed_len())
    }

    pub(crate) fn pack_backward(&self, weight: &[f32], packed: &mut [f32]) -> Outcome {
        each!(self, kernel => kernel.pack_backward(weight, packed))
    }

    pub(crate) fn weight_sum_len(&self) -> usize {
        each!(self, kernel => kernel.weight_sum_len())
    }

    /// Adds the weight's gradient to `sum`, and hands over that of the input if it is wanted.
    pub(crate) fn backward(
        &self,
        images: usize,
        [x, dz]: [&[f32]; 2],
        scratch: &mut [f32],
        sum: &mut [f32],
        input: Option<ToInput<'_, '_>>,
    ) -> Outcome {
        match self {
            Self::Winograd(kernel) => kernel.backward_weight(images, x, dz, scratch, sum)?,
            Self::Direct(kernel) => kernel.backward_weight(images, x, dz, sum)?,
            Self::Plain(kernel) => return kernel.backward(images, [x, dz], scratch, sum, input),
        }
        let Some(ToInput { packed, emit }) = input else { return Ok(()) };
        match self {
            Self::Winograd(kernel) => kernel.backward_input(images, dz, packed, scratch, emit),
            Self::Direct(kernel) => kernel.backward_input(images, dz, packed, scratch, emit),
            Self::Plain(_) => Ok(()),
        }
    }

    pub(crate) fn unpack_weight_sum(&self, sums: &[&[f32]], dweight: &mut [f32]) -> Outcome {
        each!(self, kernel => kernel.unpack_weight_sum(sums, dweight))
    }
}
