//! 2-D convolution.

use serde::{Deserialize, Serialize};

use super::{Inferred, at_least_one, pair};
use crate::error::ShapeError;
use crate::param::{Init, Param};
use crate::shape::{Shape, checked_elements};
use crate::window::Window;

/// 2-D convolution (cross-correlation, as everywhere in deep learning).
///
/// # Shapes
/// input `[N, C, H, W]`, weight `[out_channels, C/groups, kernel_h, kernel_w]`, bias `[out_channels]`,
/// output `[N, out_channels, H', W']` with `H'` and `W'` by [`Window::output`].
///
/// Source: [`torch.nn.Conv2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html), ONNX `Conv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Number of output channels (filters).
    pub out_channels: usize,
    /// Taps along height and width.
    #[serde(with = "pair")]
    pub kernel: [usize; 2],
    /// Step of the window along height and width.
    #[serde(with = "pair", default = "pair::ones")]
    pub stride: [usize; 2],
    /// Zeros added on each side of height and width.
    #[serde(with = "pair", default)]
    pub padding: [usize; 2],
    /// Distance between taps along height and width.
    #[serde(with = "pair", default = "pair::ones")]
    pub dilation: [usize; 2],
    /// Groups of channels convolved apart; as many as channels makes it depthwise.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn one() -> usize {
    1
}

pub(super) fn yes() -> bool {
    true
}

impl Conv2d {
    /// `out_channels` filters of `kernel`×`kernel` with stride 1, no padding, dilation 1, one group and a bias.
    pub fn new(out_channels: usize, kernel: usize) -> Self {
        Self {
            out_channels,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            bias: true,
        }
    }

    /// With `stride` along both dimensions.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }

    /// With `padding` zeros on all four sides.
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }

    /// Without a bias, as before a batch norm.
    pub fn no_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// The windows along height and width.
    pub fn windows(&self) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
            ceil_mode: false,
        })
    }

    pub(super) fn infer(&self, input: &Shape) -> Result<Inferred, ShapeError> {
        let [in_channels, _, _] = input.image()?;
        at_least_one("out_channels", self.out_channels)?;
        at_least_one("groups", self.groups)?;
        if !in_channels.is_multiple_of(self.groups) || !self.out_channels.is_multiple_of(self.groups) {
            let (input, output, groups) = (in_channels, self.out_channels, self.groups);
            return Err(ShapeError::Groups { input, output, groups });
        }
        let [height, width] = pair::slide(self.windows(), input, Window::output)?;
        let shape = Shape::batch_of(&[self.out_channels, height, width])?;
        let [kernel_h, kernel_w] = self.kernel;
        let weight = vec![self.out_channels, in_channels / self.groups, kernel_h, kernel_w];
        let fan_in = checked_elements(&weight[1..])?;
        let init = Init::fan_in(fan_in);
        let mut params = vec![Param::trained("weight", weight, init)];
        if self.bias {
            params.push(Param::trained("bias", vec![self.out_channels], init));
        }
        let macs = shape.elements() as u128 * fan_in as u128;
        Inferred::with_params(shape, params, macs)
    }
}
