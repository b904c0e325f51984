//! Max and average pooling.

use serde::{Deserialize, Serialize};

use super::conv::yes;
use super::pair;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::window::Window;

/// Greatest value of each window. Padding counts as −∞; of equal values the first, row by row, wins the gradient.
///
/// # Shapes
/// `[N, C, H, W]` → `[N, C, H', W']` with `H'` and `W'` by [`Window::pooled`].
///
/// Source: [`torch.nn.MaxPool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html), ONNX
/// `MaxPool`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "MaxPoolText")]
pub struct MaxPool2d {
    /// Taps along height and width.
    #[serde(with = "pair")]
    pub kernel: [usize; 2],
    /// Step of the window along height and width.
    #[serde(with = "pair")]
    pub stride: [usize; 2],
    /// Padding on each side of height and width; at most half the kernel.
    #[serde(with = "pair")]
    pub padding: [usize; 2],
    /// Distance between taps along height and width.
    #[serde(with = "pair")]
    pub dilation: [usize; 2],
    /// Whether a last, incomplete window counts.
    pub ceil_mode: bool,
}

/// Mean of each window. As in PyTorch there is no dilation.
///
/// # Shapes
/// `[N, C, H, W]` → `[N, C, H', W']` with `H'` and `W'` by [`Window::pooled`].
///
/// Source: [`torch.nn.AvgPool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html), ONNX
/// `AveragePool`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "AvgPoolText")]
pub struct AvgPool2d {
    /// Taps along height and width.
    #[serde(with = "pair")]
    pub kernel: [usize; 2],
    /// Step of the window along height and width.
    #[serde(with = "pair")]
    pub stride: [usize; 2],
    /// Zeros added on each side of height and width; at most half the kernel.
    #[serde(with = "pair")]
    pub padding: [usize; 2],
    /// Whether a last, incomplete window counts.
    pub ceil_mode: bool,
    /// Whether the zeros of the padding count in the divisor.
    pub count_include_pad: bool,
}

/// [`MaxPool2d`] as a network file writes it: all but the kernel may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxPoolText {
    #[serde(with = "pair")]
    kernel: [usize; 2],
    #[serde(deserialize_with = "pair::optional::deserialize", default)]
    stride: Option<[usize; 2]>,
    #[serde(with = "pair", default)]
    padding: [usize; 2],
    #[serde(with = "pair", default = "pair::ones")]
    dilation: [usize; 2],
    #[serde(default)]
    ceil_mode: bool,
}

impl From<MaxPoolText> for MaxPool2d {
    fn from(text: MaxPoolText) -> Self {
        let MaxPoolText { kernel, stride, padding, dilation, ceil_mode } = text;
        Self { kernel, stride: stride.unwrap_or(kernel), padding, dilation, ceil_mode }
    }
}

/// [`AvgPool2d`] as a network file writes it: all but the kernel may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AvgPoolText {
    #[serde(with = "pair")]
    kernel: [usize; 2],
    #[serde(deserialize_with = "pair::optional::deserialize", default)]
    stride: Option<[usize; 2]>,
    #[serde(with = "pair", default)]
    padding: [usize; 2],
    #[serde(default)]
    ceil_mode: bool,
    #[serde(default = "yes")]
    count_include_pad: bool,
}

impl From<AvgPoolText> for AvgPool2d {
    fn from(text: AvgPoolText) -> Self {
        let AvgPoolText { kernel, stride, padding, ceil_mode, count_include_pad } = text;
        Self { kernel, stride: stride.unwrap_or(kernel), padding, ceil_mode, count_include_pad }
    }
}

impl MaxPool2d {
    /// Windows of `kernel`×`kernel` side by side: stride `kernel`, no padding, no dilation.
    pub fn new(kernel: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [kernel; 2], padding: [0; 2], dilation: [1; 2], ceil_mode: false }
    }

    /// With `stride` along both dimensions.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }

    /// With `padding` on all four sides.
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }

    /// The windows along height and width.
    pub fn windows(&self) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
            ceil_mode: self.ceil_mode,
        })
    }

    pub(super) fn infer(&self, input: &Shape) -> Result<Shape, ShapeError> {
        infer(self.windows(), input)
    }
}

impl AvgPool2d {
    /// Windows of `kernel`×`kernel` side by side: stride `kernel`, no padding.
    pub fn new(kernel: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [kernel; 2],
            padding: [0; 2],
            ceil_mode: false,
            count_include_pad: true,
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

    /// The windows along height and width.
    pub fn windows(&self) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: 1,
            ceil_mode: self.ceil_mode,
        })
    }

    pub(super) fn infer(&self, input: &Shape) -> Result<Shape, ShapeError> {
        infer(self.windows(), input)
    }
}

fn infer(windows: [Window; 2], input: &Shape) -> Result<Shape, ShapeError> {
    let [channels, _, _] = input.image()?;
    let [height, width] = pair::slide(windows, input, Window::pooled)?;
    Shape::batch_of(&[channels, height, width])
}
