//! Layers with a weight and perhaps a bias, as candle's custom ops of two or three arguments.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::backward::hand_over;
use super::storage::{gradient, output, slice, with_slices};

/// What such a layer computes; [`apply`] makes a candle op of it.
pub(super) trait Weighted: Send + Sync + 'static {
    /// The name in candle's errors.
    const NAME: &'static str;
    /// The sizes that the kernels work with.
    type Geometry;

    /// The sizes for an input and a weight of these shapes.
    fn geometry(&self, x: &Shape, weight: &Shape) -> Result<Self::Geometry>;

    /// The shape of the output.
    fn output_shape(&self, g: &Self::Geometry, x: &Shape) -> Shape;

    /// Fills `y`.
    fn forward(
        &self,
        g: &Self::Geometry,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()>;

    /// Fills the gradients, which are zero; that of the input is absent where nothing needs it.
    fn backward(
        &self,
        g: &Self::Geometry,
        x: &[f32],
        weight: &[f32],
        dy: &[f32],
        gradients: Gradients<'_>,
    ) -> Result<()>;
}

/// Where a backward pass puts its gradients.
pub(super) struct Gradients<'a> {
    pub(super) x: Option<&'a mut [f32]>,
    pub(super) weight: &'a mut [f32],
    pub(super) bias: Option<&'a mut [f32]>,
}

/// Runs `layer` on `x` in candle's record.
pub(super) fn apply(
    layer: impl Weighted,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (x, weight, op) = (x.contiguous()?, weight.contiguous()?, WeightedOp(layer));
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, op),
        None => x.apply_op2(&weight, op),
    }
}

struct WeightedOp<L>(L);

impl<L: Weighted> WeightedOp<L> {
    fn forward(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let g = self.0.geometry(x_layout.shape(), weight_layout.shape())?;
        let shape = self.0.output_shape(&g, x_layout.shape());
        let mut y = vec![0.0; shape.elem_count()];
        self.0.forward(&g, slice(x, x_layout)?, slice(weight, weight_layout)?, bias, &mut y)?;
        Ok(output(y, shape))
    }

    fn backward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = self.0.geometry(x.shape(), weight.shape())?;
        let zeros = |tensor: &Tensor| vec![0.0; tensor.elem_count()];
        let (mut dx, mut dweight) = (x.track_op().then(|| zeros(x)), zeros(weight));
        let mut dbias = bias.map(zeros);
        with_slices([x, weight, dy], |[x, weight, dy]| {
            let gradients =
                Gradients { x: dx.as_deref_mut(), weight: &mut dweight, bias: dbias.as_deref_mut() };
            self.0.backward(&g, x, weight, dy, gradients)
        })?;
        let dx = dx.map(|dx| gradient(dx, x.shape())).transpose()?;
        let dbias = match dbias.zip(bias) {
            Some((dbias, bias)) => hand_over(bias, dbias)?,
            None => None,
        };
        Ok((dx, hand_over(weight, dweight)?, dbias))
    }
}

impl<L: Weighted> CustomOp2 for WeightedOp<L> {
    fn name(&self) -> &'static str {
        L::NAME
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

impl<L: Weighted> CustomOp3 for WeightedOp<L> {
    fn name(&self) -> &'static str {
        L::NAME
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
