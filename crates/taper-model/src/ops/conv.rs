//! 2-D convolution.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use taper_graph::Conv2d;
use taper_kernels::{ConvGeometry, ConvGradients};

use super::storage::{gradient, image_dims, output, refuse, slice, with_slices};

/// 2-D convolution of `[N, C, H, W]` with `weight` `[out_channels, C/groups, kernel_h, kernel_w]` and `bias`
/// `[out_channels]`, which must be there if `conv.bias` is set.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32 on the CPU.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    let op = ConvOp(conv.clone());
    match bias {
        Some(bias) => x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op),
        None => x.contiguous()?.apply_op2(&weight.contiguous()?, op),
    }
}

struct ConvOp(Conv2d);

impl ConvOp {
    fn geometry(&self, x: &Shape, weight: &Shape) -> Result<ConvGeometry> {
        let (batch, image) = image_dims(x)?;
        let geometry = ConvGeometry::new(&self.0, batch, image).map_err(refuse)?;
        let expected = [self.0.out_channels, image[0] / self.0.groups, self.0.kernel[0], self.0.kernel[1]];
        if weight.dims() != expected {
            candle_core::bail!("the weight of this conv2d is {:?} and should be {expected:?}", weight.dims());
        }
        Ok(geometry)
    }

    fn forward(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let g = self.geometry(x_layout.shape(), weight_layout.shape())?;
        let mut y = vec![0.0; g.output_len()];
        taper_kernels::conv2d(&g, slice(x, x_layout)?, slice(weight, weight_layout)?, bias, &mut y)
            .map_err(refuse)?;
        Ok(output(y, (g.batch, g.out_channels, g.output[0], g.output[1])))
    }

    /// Gradients of input, weight and bias. The input's is left out where nothing needs it: at the first layer.
    fn backward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = self.geometry(x.shape(), weight.shape())?;
        let mut dx = x.track_op().then(|| vec![0.0; g.input_len()]);
        let mut dweight = vec![0.0; g.weight_len()];
        let mut dbias = bias.map(|_| vec![0.0; g.out_channels]);
        with_slices([x, weight, dy], |[x, weight, dy]| {
            let gradients =
                ConvGradients { x: dx.as_deref_mut(), weight: &mut dweight, bias: dbias.as_deref_mut() };
            taper_kernels::conv2d_backward(&g, x, weight, dy, gradients).map_err(refuse)
        })?;
        let dx = dx.map(|dx| gradient(dx, x.shape())).transpose()?;
        let dbias = dbias.map(|dbias| gradient(dbias, &Shape::from(g.out_channels))).transpose()?;
        Ok((dx, Some(gradient(dweight, weight.shape())?), dbias))
    }
}

impl CustomOp2 for ConvOp {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, x_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight, _) = self.backward(x, weight, None, dy)?;
        Ok((dx, dweight))
    }
}

impl CustomOp3 for ConvOp {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, x_layout), (weight, weight_layout), Some(slice(bias, bias_layout)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        self.backward(x, weight, Some(bias), dy)
    }
}
