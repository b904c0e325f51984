//! One layer's forward and backward on the kernels, for the engine.

use taper_graph::{AvgPool2d, Graph, Node, Op};
use taper_kernels::{
    BatchNormGeometry, BatchStatistics, ConvGeometry, ConvGradients, DropoutKey, LinearGeometry,
    PoolGeometry, activate, activate_backward, avg_pool2d, avg_pool2d_backward, batch_norm_backward,
    batch_norm_train, conv2d, conv2d_backward, dropout, linear, linear_backward_input,
    linear_backward_params, max_pool2d, max_pool2d_backward, softmax, softmax_backward,
};

use crate::engine::item;
use crate::error::ModelError;

/// What a layer's backward needs of its forward, beyond input and output.
#[derive(Debug, Default)]
pub(crate) enum Saved {
    #[default]
    Nothing,
    /// Where each maximum stands.
    Maxima(Vec<u32>),
    /// Batch norm's mean and variance.
    Statistics(BatchStatistics),
}

/// One layer in one training step.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) node: &'a Node,
    pub(crate) batch: usize,
    pub(crate) key: DropoutKey,
}

type Outcome = Result<(), ModelError>;

impl<'a> Pass<'a> {
    fn image(&self) -> Result<[usize; 3], ModelError> {
        Ok(self.graph.shape(self.node.inputs[0]).image().map_err(|cause| self.misfit(cause))?)
    }

    fn misfit(&self, cause: taper_graph::ShapeError) -> taper_graph::GraphError {
        taper_graph::GraphError::Shape { node: self.node.name.clone(), op: self.node.op.name(), cause }
    }

    fn norm(&self) -> Result<BatchNormGeometry, ModelError> {
        let [channels, height, width] = self.image()?;
        Ok(BatchNormGeometry { batch: self.batch, channels, pixels: height * width })
    }

    fn conv(&self, conv: &taper_graph::Conv2d) -> Result<ConvGeometry, ModelError> {
        Ok(ConvGeometry::new(conv, self.batch, self.image()?).map_err(|cause| self.misfit(cause))?)
    }

    fn linear(&self) -> LinearGeometry {
        let out_features = self.node.shape.elements();
        LinearGeometry { batch: self.batch, in_features: item(self.graph, self.node, 0), out_features }
    }

    /// The pooling of this layer, if it is one; global average pooling has one window, the image.
    fn pool(&self) -> Result<PoolGeometry, ModelError> {
        let image = self.image()?;
        let geometry = match &self.node.op {
            Op::MaxPool2d(pool) => PoolGeometry::max(pool, self.batch, image),
            Op::AvgPool2d(pool) => PoolGeometry::avg(pool, self.batch, image),
            _ => {
                let whole = AvgPool2d { kernel: [image[1], image[2]], ..AvgPool2d::new(1) };
                PoolGeometry::avg(&whole, self.batch, image)
            }
        };
        Ok(geometry.map_err(|cause| self.misfit(cause))?)
    }

    /// `[outer, classes, inner]` around dimension 1.
    fn lanes(&self) -> [usize; 3] {
        let item = self.node.shape.item();
        [self.batch, item[0], item[1..].iter().product()]
    }

    /// Fills `y`.
    pub(crate) fn forward(
        &self,
        inputs: &[&[f32]],
        parameters: &[&[f32]],
        y: &mut [f32],
        saved: &mut Saved,
    ) -> Outcome {
        let x = inputs[0];
        match &self.node.op {
            Op::Conv2d(conv) => {
                conv2d(&self.conv(conv)?, x, parameters[0], parameters.get(1).copied(), y)?;
            }
            Op::Linear(_) => linear(self.linear(), x, parameters[0], parameters.get(1).copied(), y)?,
            Op::MaxPool2d(_) => {
                let mut maxima = match std::mem::take(saved) {
                    Saved::Maxima(maxima) => maxima,
                    _ => Vec::new(),
                };
                maxima.resize(y.len(), 0);
                max_pool2d(&self.pool()?, x, y, &mut maxima)?;
                *saved = Saved::Maxima(maxima);
            }
            Op::AvgPool2d(_) | Op::GlobalAvgPool => avg_pool2d(&self.pool()?, x, y)?,
            Op::BatchNorm2d(norm) => {
                let g = self.norm()?;
                if g.count() < 2 {
                    return Err(ModelError::SingleValue { node: self.node.name.clone() });
                }
                let weights = [parameters[0], parameters[1]];
                *saved = Saved::Statistics(batch_norm_train(g, x, weights, norm.eps, y)?);
            }
            Op::Dropout(layer) => dropout(self.key, layer.p, x, y)?,
            Op::Softmax => softmax(self.lanes(), x, y)?,
            Op::Flatten => y.copy_from_slice(x),
            Op::Add => y.iter_mut().zip(x).zip(inputs[1]).for_each(|((y, a), b)| *y = a + b),
            Op::Concat => self.concat(inputs, y),
            Op::Relu | Op::Gelu | Op::Silu | Op::Tanh | Op::Sigmoid => {
                if let Some(function) = self.node.op.activation() {
                    activate(function, x, y)?;
                }
            }
        }
        Ok(())
    }

    fn concat(&self, inputs: &[&[f32]], y: &mut [f32]) {
        let mut rows = y.chunks_exact_mut(self.node.shape.elements());
        for image in 0..self.batch {
            let Some(mut row) = rows.next() else { return };
            for (place, x) in inputs.iter().enumerate() {
                let len = item(self.graph, self.node, place);
                let (own, rest) = row.split_at_mut(len);
                own.copy_from_slice(&x[image * len..][..len]);
                row = rest;
            }
        }
    }

    /// With what the backward pass reads.
    pub(crate) fn with<'b>(
        self,
        inputs: &'b [&'b [f32]],
        parameters: &'b [&'b [f32]],
        saved: &'b Saved,
    ) -> Backward<'a, 'b> {
        Backward { pass: self, inputs, parameters, saved }
    }
}

/// One layer's backward.
pub(crate) struct Backward<'a, 'b> {
    pass: Pass<'a>,
    inputs: &'b [&'b [f32]],
    parameters: &'b [&'b [f32]],
    saved: &'b Saved,
}

impl Backward<'_, '_> {
    /// Fills the gradients of the layer's parameters, and `dx`, that of input number `place`, where it is wanted.
    pub(crate) fn backward(
        &self,
        place: usize,
        y: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        gradients: &mut [Vec<f32>],
    ) -> Outcome {
        let (x, pass) = (self.inputs[0], &self.pass);
        let [weight, rest @ ..] = gradients else {
            return dx.map_or(Ok(()), |dx| self.input_gradient(place, y, dy, dx));
        };
        let mut bias = rest.first_mut().map(|bias| &mut bias[..]);
        match &pass.node.op {
            Op::Conv2d(conv) => {
                let gradients = ConvGradients { x: dx, weight, bias };
                conv2d_backward(&pass.conv(conv)?, x, self.parameters[0], dy, gradients)?;
            }
            Op::Linear(_) => {
                linear_backward_params(pass.linear(), x, dy, weight, bias)?;
                if let Some(dx) = dx {
                    linear_backward_input(pass.linear(), self.parameters[0], dy, dx)?;
                }
            }
            Op::BatchNorm2d(norm) => {
                let Saved::Statistics(statistics) = self.saved else { return Ok(()) };
                let mut unwanted = Vec::new();
                let dx = dx.unwrap_or_else(|| {
                    unwanted.resize(x.len(), 0.0);
                    &mut unwanted
                });
                let [dweight, dbias] =
                    batch_norm_backward(pass.norm()?, x, self.parameters[0], statistics, norm.eps, dy, dx)?;
                weight.copy_from_slice(&dweight);
                if let Some(bias) = &mut bias {
                    bias.copy_from_slice(&dbias);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Fills the gradient of input number `place` of a layer without parameters.
    fn input_gradient(&self, place: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) -> Outcome {
        let (x, pass) = (self.inputs[place], &self.pass);
        match &pass.node.op {
            Op::Conv2d(_) | Op::Linear(_) | Op::BatchNorm2d(_) => {}
            Op::MaxPool2d(_) => {
                if let Saved::Maxima(maxima) = self.saved {
                    max_pool2d_backward(&pass.pool()?, maxima, dy, dx)?;
                }
            }
            Op::AvgPool2d(_) | Op::GlobalAvgPool => avg_pool2d_backward(&pass.pool()?, dy, dx)?,
            Op::Dropout(layer) => dropout(pass.key, layer.p, dy, dx)?,
            Op::Softmax => softmax_backward(pass.lanes(), y, dy, dx)?,
            Op::Flatten | Op::Add => dx.copy_from_slice(dy),
            Op::Concat => self.split(place, dy, dx),
            Op::Relu | Op::Gelu | Op::Silu | Op::Tanh | Op::Sigmoid => {
                if let Some(function) = pass.node.op.activation() {
                    activate_backward(function, x, dy, dx)?;
                }
            }
        }
        Ok(())
    }

    /// The part of `dy` that belongs to one input of a concatenation.
    fn split(&self, place: usize, dy: &[f32], dx: &mut [f32]) {
        let pass = &self.pass;
        let start: usize = (0..place).map(|other| item(pass.graph, pass.node, other)).sum();
        let len = item(pass.graph, pass.node, place);
        let rows = dy.chunks_exact(pass.node.shape.elements());
        for (row, dx) in rows.zip(dx.chunks_exact_mut(len)) {
            dx.copy_from_slice(&row[start..start + len]);
        }
    }
}
