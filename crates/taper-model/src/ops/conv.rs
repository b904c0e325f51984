//! 2-D convolution.

use candle_core::{Result, Shape, Tensor};
use taper_graph::Conv2d;
use taper_kernels::{ConvGeometry, ConvGradients, conv2d_backward};

use super::storage::{image_dims, refuse};
use super::weighted::{Gradients, Weighted, apply};

/// 2-D convolution of `[N, C, H, W]` with `weight` `[out_channels, C/groups, kernel_h, kernel_w]` and, if there is one,
/// `bias` `[out_channels]`.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32 on the CPU.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    apply(Convolution(conv.clone()), x, weight, bias)
}

struct Convolution(Conv2d);

impl Weighted for Convolution {
    const NAME: &'static str = "conv2d";
    type Geometry = ConvGeometry;

    fn geometry(&self, x: &Shape, weight: &Shape) -> Result<ConvGeometry> {
        let (batch, image) = image_dims(x)?;
        let geometry = ConvGeometry::new(&self.0, batch, image).map_err(refuse)?;
        let expected = [self.0.out_channels, image[0] / self.0.groups, self.0.kernel[0], self.0.kernel[1]];
        if weight.dims() != expected {
            candle_core::bail!("the weight of this conv2d is {:?} and should be {expected:?}", weight.dims());
        }
        Ok(geometry)
    }

    fn output_shape(&self, g: &ConvGeometry, _x: &Shape) -> Shape {
        (g.batch, g.out_channels, g.output[0], g.output[1]).into()
    }

    fn forward(
        &self,
        g: &ConvGeometry,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()> {
        taper_kernels::conv2d(g, x, weight, bias, y).map_err(refuse)
    }

    fn backward(
        &self,
        g: &ConvGeometry,
        x: &[f32],
        weight: &[f32],
        dy: &[f32],
        gradients: Gradients<'_>,
    ) -> Result<()> {
        let Gradients { x: dx, weight: dweight, bias } = gradients;
        conv2d_backward(g, x, weight, dy, ConvGradients { x: dx, weight: dweight, bias }).map_err(refuse)
    }
}
