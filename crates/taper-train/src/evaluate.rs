//! Scoring a network on a dataset.

use std::num::NonZeroUsize;

use taper_data::{Batches, Dataset};
use taper_metrics::{Evaluation, Evaluator};
use taper_model::Model;

use crate::config::check_batch_size;
use crate::error::{Split, TrainError};
use crate::event::Progress;

/// Runs `model`, in evaluation mode, on every image of `dataset` in batches of `batch_size`, and scores its logits.
///
/// `on_progress` is called after every batch.
///
/// # Errors
/// [`TrainError`] if there are no images, if they or their classes do not fit the network, or if a logit is not a
/// finite number.
pub fn evaluate(
    model: &Model,
    dataset: &Dataset,
    batch_size: usize,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Evaluation, TrainError> {
    let batch_size = check_batch_size(batch_size)?;
    check_fits(model, dataset, Split::Evaluation)?;
    score(model, dataset, batch_size, Split::Evaluation, on_progress)
}

/// Proves that the network takes the dataset's images and gives one logit for each of its classes.
pub(crate) fn check_fits(model: &Model, dataset: &Dataset, split: Split) -> Result<(), TrainError> {
    let graph = model.graph();
    let images = &dataset.images;
    if dataset.is_empty() {
        return Err(TrainError::Empty { split });
    }
    let found = [images.channels(), images.height(), images.width()];
    if graph.input_shape().item() != found {
        return Err(TrainError::ImageSize {
            split,
            found,
            graph: graph.name().to_owned(),
            expected: graph.input_shape().to_string(),
        });
    }
    let classes = dataset.class_names.len();
    if graph.output_shape().item() != [classes] {
        return Err(TrainError::Classes {
            split,
            classes,
            graph: graph.name().to_owned(),
            output: graph.output_shape().to_string(),
        });
    }
    Ok(())
}

/// [`evaluate`] on a dataset that is known to fit.
pub(crate) fn score(
    model: &Model,
    dataset: &Dataset,
    batch_size: NonZeroUsize,
    split: Split,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Evaluation, TrainError> {
    let failed = |cause| TrainError::Metrics { split, cause };
    let mut evaluator = Evaluator::new(dataset.class_names.len());
    let mut batches = Batches::in_order(dataset, batch_size);
    let inference = model.inference()?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    while batches.next_into(&mut images, &mut labels) {
        let logits = inference.logits(&images)?;
        evaluator.update(&logits, &labels).map_err(failed)?;
        on_progress(Progress { images_done: evaluator.images(), images: dataset.len() });
    }
    evaluator.finish().map_err(failed)
}
