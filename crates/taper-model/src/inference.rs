//! A network ready to answer.

use taper_graph::{Graph, Weights};

use crate::error::ModelError;
use crate::model::{Mode, Model};
use crate::plan::{Explanation, Plan};

/// A network with fixed weights, compiled for evaluation: layers fused, weights in the kernels' own order, buffers kept
/// from call to call.
///
/// It is a copy: training the model it was made from does not change it. Several threads may use one; each call also
/// splits its images over the threads of the rayon pool it runs in.
///
/// ```
/// use taper_graph::Preset;
/// use taper_model::Model;
/// let model = Model::new(Preset::Tutorial.graph()?, 1)?;
/// let inference = model.inference()?;
/// assert_eq!(inference.logits(&[0.5; 3 * 784])?.len(), 3 * 10);
/// # Ok::<(), taper_model::ModelError>(())
/// ```
#[derive(Debug)]
pub struct Inference {
    engine: Engine,
    graph: Graph,
}

#[derive(Debug)]
enum Engine {
    Plan(Box<Plan>),
    /// A network of its own, run by candle.
    Candle(Box<Model>),
}

impl Inference {
    /// Compiles `graph` with `weights`.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the graph is incomplete, [`ModelError::Output`] if it does not end in `[N, F]`,
    /// [`ModelError::Weights`] if the weights are another network's, [`ModelError::Kernel`] if `TAPER_ISA` names an
    /// instruction set that is not there.
    pub fn new(graph: &Graph, weights: &Weights) -> Result<Self, ModelError> {
        let mut plan = Plan::inference(graph)?;
        let arrays = weights.iter().map(|(name, array)| (name.to_owned(), array.clone())).collect();
        let weights = Weights::new(graph, arrays)?;
        let arrays: Vec<&[f32]> = weights.iter().map(|(_, array)| &array.data[..]).collect();
        plan.set_parameters(&arrays)?;
        Ok(Self { engine: Engine::Plan(Box::new(plan)), graph: graph.clone() })
    }

    /// Of a model that nothing else has, where candle has it.
    pub(crate) fn of_copy(model: Model) -> Result<Self, ModelError> {
        model.classes()?;
        Ok(Self { graph: model.graph().clone(), engine: Engine::Candle(Box::new(model)) })
    }

    /// Logits of images given as plain numbers: `[N, C, H, W]` in, `[N, classes]` out, row-major.
    ///
    /// An image's logits have the same bits whatever images stand beside it, as long as the weights are finite.
    ///
    /// # Errors
    /// [`ModelError::Images`] if the numbers are no whole number of images.
    pub fn logits(&self, images: &[f32]) -> Result<Vec<f32>, ModelError> {
        let count = count_images(&self.graph, images)?;
        match &self.engine {
            Engine::Plan(plan) => {
                let mut logits = vec![0.0; count * plan.classes()];
                plan.infer(images, &mut logits)?;
                Ok(logits)
            }
            Engine::Candle(model) => {
                let images = model.tensor(images, &self.graph.input_shape().with_batch(count))?;
                Ok(model.forward(&images, Mode::Eval)?.flatten_all()?.to_vec1()?)
            }
        }
    }

    /// The steps it runs; none if candle runs it.
    #[must_use]
    pub fn explain(&self) -> Option<Explanation<'_>> {
        match &self.engine {
            Engine::Plan(plan) => Some(plan.explain()),
            Engine::Candle(_) => None,
        }
    }
}

/// The number of images that these numbers are.
pub(crate) fn count_images(graph: &Graph, images: &[f32]) -> Result<usize, ModelError> {
    let input = graph.input_shape();
    if !images.len().is_multiple_of(input.elements()) {
        let graph = graph.name().to_owned();
        return Err(ModelError::Images { found: images.len(), graph, input: input.clone() });
    }
    Ok(images.len() / input.elements())
}
