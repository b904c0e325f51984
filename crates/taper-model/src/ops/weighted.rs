//! Layers with a weight and perhaps a bias, as ops of two or three tensors.

use candle_core::{CpuStorage, Result, Shape, Tensor};

use super::record::{self, Argument, InputGradients, Operation};
use super::storage::{gradient, output, slice, with_slices};

/// What such a layer computes; [`apply`] makes an op of it.
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

/// Runs `layer` on `x`.
pub(super) fn apply(
    layer: impl Weighted,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let inputs: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    record::apply(WeightedOp(layer), &inputs)
}

struct WeightedOp<L>(L);

impl<L: Weighted> Operation for WeightedOp<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let [(x, x_layout), (weight, weight_layout), bias @ ..] = inputs else {
            candle_core::bail!("{} needs a weight", L::NAME)
        };
        let bias = bias.first().map(|(bias, layout)| slice(bias, layout)).transpose()?;
        let g = self.0.geometry(x_layout.shape(), weight_layout.shape())?;
        let shape = self.0.output_shape(&g, x_layout.shape());
        let mut y = vec![0.0; shape.elem_count()];
        self.0.forward(&g, slice(x, x_layout)?, slice(weight, weight_layout)?, bias, &mut y)?;
        Ok(output(y, shape))
    }

    fn backward(&self, inputs: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let [x, weight, ref bias @ ..] = *inputs else { candle_core::bail!("{} needs a weight", L::NAME) };
        let g = self.0.geometry(x.shape(), weight.shape())?;
        let zeros = |tensor: &Tensor| vec![0.0; tensor.elem_count()];
        let (mut dx, mut dweight) = (x.track_op().then(|| zeros(x)), zeros(weight));
        let bias = bias.first();
        let mut dbias = bias.map(|bias| zeros(bias));
        with_slices([x, weight, dy], |[x, weight, dy]| {
            let gradients =
                Gradients { x: dx.as_deref_mut(), weight: &mut dweight, bias: dbias.as_deref_mut() };
            self.0.backward(&g, x, weight, dy, gradients)
        })?;
        let mut found = vec![dx.map(|dx| gradient(dx, x.shape())).transpose()?];
        found.push(Some(gradient(dweight, weight.shape())?));
        if let Some((dbias, bias)) = dbias.zip(bias) {
            found.push(Some(gradient(dbias, bias.shape())?));
        }
        Ok(found)
    }
}
