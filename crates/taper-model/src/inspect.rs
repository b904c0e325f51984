//! A look inside: the values between the layers, and what a logit owes to them.

use candle_core::{IndexOp, Tensor, Var};
use taper_graph::{Array, Graph, ValueId};

use crate::error::ModelError;
use crate::inference::count_images;
use crate::model::{Mode, Model};

impl Model {
    /// Values between the layers, in evaluation mode: for images `[N, C, H, W]`, the values `at`, each `[N, …]`.
    ///
    /// # Errors
    /// [`ModelError::Images`] if the numbers are no whole number of images, [`ModelError::UnknownValue`] for a value of
    /// another graph.
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_model::Model;
    /// let model = Model::new(Preset::LeNet5.graph()?, 1)?;
    /// let graph = model.graph();
    /// let values = model.values(&[0.5; 784], &[graph.input(), graph.output()])?;
    /// assert_eq!((&values[0].shape[..], &values[1].shape[..]), (&[1, 1, 28, 28][..], &[1, 10][..]));
    /// # Ok::<(), taper_model::ModelError>(())
    /// ```
    pub fn values(&self, images: &[f32], at: &[ValueId]) -> Result<Vec<Array>, ModelError> {
        let values = self.run_through(images, None)?;
        let found =
            at.iter().map(|&value| array(values.get(value.index()).ok_or_else(|| self.unknown(value))?));
        found.collect()
    }

    /// A value between the layers for one image `[C, H, W]`, in evaluation mode, and the gradient of the logit of
    /// `class` by it: two arrays of one shape, `[1, …]`.
    ///
    /// # Errors
    /// As [`Model::values`], and [`ModelError::OneImage`] for another number of images, [`ModelError::Candle`] for a class that
    /// there is not.
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_model::Model;
    /// let model = Model::new(Preset::LeNet5.graph()?, 1)?;
    /// // A logit grows by itself, and not by the others.
    /// let [logits, gradient] = model.value_and_gradient(&[0.5; 784], model.graph().output(), 3)?;
    /// assert_eq!(logits.shape, [1, 10]);
    /// assert_eq!(gradient.data, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), taper_model::ModelError>(())
    /// ```
    pub fn value_and_gradient(
        &self,
        image: &[f32],
        at: ValueId,
        class: usize,
    ) -> Result<[Array; 2], ModelError> {
        let values = self.run_through(image, Some(at))?;
        let value = values.get(at.index()).ok_or_else(|| self.unknown(at))?;
        let logits = values.last().unwrap_or(value);
        if logits.dim(0)? != 1 {
            return Err(ModelError::OneImage { found: logits.dim(0)? });
        }
        let gradients = logits.i((0, class))?.backward()?;
        let gradient = match gradients.get(value) {
            Some(gradient) => array(gradient)?,
            // A value that the logit does not depend on.
            None => array(&value.zeros_like()?)?,
        };
        Ok([array(value)?, gradient])
    }

    /// Where in the image the logit of `class` finds its reasons: Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) at
    /// the feature maps `at`, `[1, K, H, W]`, for one image `[C, H, W]`. The answer is `[H, W]`: the maps, each weighted by
    /// the mean of the logit's gradient by it, are summed, and what speaks against the class is cut off at 0.
    ///
    /// # Errors
    /// As [`Model::value_and_gradient`], and [`ModelError::NoMaps`] unless the value is `[N, K, H, W]`.
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_model::Model;
    /// let model = Model::new(Preset::LeNet5.graph()?, 1)?;
    /// let map = model.grad_cam(&[0.5; 784], model.graph().input(), 3)?;
    /// assert_eq!(map.shape, [28, 28]);
    /// # Ok::<(), taper_model::ModelError>(())
    /// ```
    pub fn grad_cam(&self, image: &[f32], at: ValueId, class: usize) -> Result<Array, ModelError> {
        let [value, gradient] = self.value_and_gradient(image, at, class)?;
        let &[_, _, height, width] = value.shape.as_slice() else {
            let (value, shape) = (self.graph().value_name(at), self.graph().shape(at).clone());
            return Err(ModelError::NoMaps { value: value.to_owned(), shape });
        };
        let mut sum = vec![0.0; height * width];
        let maps = value.data.chunks_exact(height * width).zip(gradient.data.chunks_exact(height * width));
        for (map, gradient) in maps {
            let weight = gradient.iter().map(|&g| f64::from(g)).sum::<f64>() / (height * width) as f64;
            sum.iter_mut().zip(map).for_each(|(sum, &a)| *sum += weight * f64::from(a));
        }
        let data = sum.into_iter().map(|sum| sum.max(0.0) as f32).collect();
        Ok(Array { shape: vec![height, width], data })
    }

    /// Every value of the graph in evaluation mode, the input first. The value `variable` is one that gradients are found
    /// for: nothing before it is tracked.
    fn run_through(&self, images: &[f32], variable: Option<ValueId>) -> Result<Vec<Tensor>, ModelError> {
        let graph = self.graph();
        let shape = graph.input_shape().with_batch(count_images(graph, images)?);
        let input = self.tensor(images, &shape)?;
        let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes().len() + 1);
        for index in 0..=graph.nodes().len() {
            let value = match index.checked_sub(1) {
                None => input.clone(),
                Some(node) => {
                    let inputs = graph.nodes()[node].inputs.iter().map(|from| values[from.index()].clone());
                    let inputs: Vec<Tensor> = inputs.collect();
                    self.run_node(node, &graph.nodes()[node], &inputs, Mode::Eval)?
                }
            };
            values.push(match variable {
                Some(at) if at.index() == index => Var::from_tensor(&value)?.into_inner(),
                _ => value,
            });
        }
        Ok(values)
    }

    fn unknown(&self, value: ValueId) -> ModelError {
        ModelError::UnknownValue { index: value.index(), graph: self.graph().name().to_owned() }
    }
}

fn array(tensor: &Tensor) -> Result<Array, ModelError> {
    Ok(Array { shape: tensor.dims().to_vec(), data: tensor.flatten_all()?.to_vec1()? })
}

/// The values of a network of convolutions that are worth a look: for every size of its feature maps, the last value of
/// that size, from the first convolution on, that is not merely pooled, dropped out or reshaped. In the order of the graph; none
/// for a network without convolutions.
///
/// ```
/// use taper_graph::Preset;
/// let graph = Preset::Tutorial.graph()?;
/// let names = |at: Vec<taper_graph::ValueId>| at.iter().map(|&at| graph.value_name(at).to_owned()).collect::<Vec<_>>();
/// assert_eq!(names(taper_model::stages(&graph)), ["layer1.1", "layer2.1", "layer3.1"]);
/// # Ok::<(), taper_graph::GraphError>(())
/// ```
#[must_use]
pub fn stages(graph: &Graph) -> Vec<ValueId> {
    use taper_graph::Op;
    let mut stages: Vec<(Vec<usize>, ValueId)> = Vec::new();
    let nodes = graph.nodes().iter().zip(graph.values().skip(1));
    for (node, value) in nodes.skip_while(|(node, _)| !matches!(node.op, Op::Conv2d(_))) {
        let is_moved = matches!(
            node.op,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::GlobalAvgPool | Op::Dropout(_) | Op::Flatten
        );
        let &[_, height, width] = node.shape.item().as_slice() else { continue };
        if is_moved || height * width == 1 {
            continue;
        }
        stages.retain(|(size, _)| *size != [height, width]);
        stages.push((vec![height, width], value));
    }
    stages.into_iter().map(|(_, value)| value).collect()
}
