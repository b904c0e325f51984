//! Scoring a network on a dataset.

use std::num::NonZeroUsize;

use taper_data::{Batches, Dataset, extend_unit, shift_into};
use taper_metrics::{Evaluation, Evaluator, softmax};
use taper_model::exchange::Exchange;
use taper_model::{Model, ModelError};

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
    score(model, dataset, batch_size, (Split::Evaluation, 0.0), on_progress)
}

/// As [`evaluate`], on the mean of the probabilities that `model` gives an image and the same image shifted by `pixels` to all
/// eight sides: test-time augmentation (Krizhevsky et al. 2012). It takes nine times as long, and is to be told apart from
/// [`evaluate`]: the model alone does not give these answers.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_shifted(
    model: &Model,
    dataset: &Dataset,
    batch_size: usize,
    pixels: usize,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Evaluation, TrainError> {
    let batch_size = check_batch_size(batch_size)?;
    check_fits(model, dataset, Split::Evaluation)?;
    let failed = |cause| TrainError::Metrics { split: Split::Evaluation, cause };
    let (inference, source) = (model.inference()?, &dataset.images);
    let (shape, classes) = ([source.channels(), source.height(), source.width()], dataset.class_names.len());
    let mut evaluator = Evaluator::new(classes);
    let mut images = Vec::new();
    let indices: Vec<usize> = (0..dataset.len()).collect();
    for batch in indices.chunks(batch_size.get()) {
        images.resize(batch.len() * source.image_len(), 0.0);
        let mut mean = vec![0.0; batch.len() * classes];
        for shift in shifts(pixels) {
            for (&index, image) in batch.iter().zip(images.chunks_exact_mut(source.image_len())) {
                shift_into(&source.image(index)?, shape, shift, image);
            }
            let logits = inference.logits(&images)?;
            for (mean, logits) in mean.chunks_exact_mut(classes).zip(logits.chunks_exact(classes)) {
                let probabilities = softmax(logits).into_iter();
                mean.iter_mut().zip(probabilities).for_each(|(mean, share)| *mean += share / SHIFTS as f64);
            }
        }
        // The logarithm of a mean of probabilities is a logit of it.
        let logits: Vec<f32> = mean.iter().map(|share| libm::log(share + f64::MIN_POSITIVE) as f32).collect();
        let labels: Vec<u8> = batch.iter().map(|&index| dataset.labels[index]).collect();
        evaluator.update(&logits, &labels).map_err(failed)?;
        on_progress(Progress { images_done: evaluator.images(), images: dataset.len() });
    }
    evaluator.finish().map_err(failed)
}

/// Looks at every image with [`evaluate_shifted`].
const SHIFTS: usize = 9;

/// Nowhere, and to all sides.
fn shifts(pixels: usize) -> [[isize; 2]; SHIFTS] {
    let pixels = isize::try_from(pixels).unwrap_or(isize::MAX);
    std::array::from_fn(|place| [place / 3, place % 3].map(|way| (way as isize - 1) * pixels))
}

/// Proves that the network takes the dataset's images and gives one logit for each of its classes.
///
/// # Errors
/// [`TrainError::Empty`], [`TrainError::ImageSize`] or [`TrainError::Classes`], which name `split`.
///
/// ```
/// use taper_data::{Dataset, Images};
/// use taper_graph::Preset;
/// use taper_train::{Split, check_fits};
///
/// let model = taper_model::Model::new(Preset::LeNet5.graph()?, 0)?;
/// let classes = |count: usize| (0..count).map(|class| class.to_string()).collect::<Vec<_>>();
/// let images = Images::new(1, 1, 28, 28, vec![0; 784])?;
/// let data = Dataset::new(images.clone(), vec![3], classes(10))?;
/// assert!(check_fits(&model, &data, Split::Evaluation).is_ok());
/// let fewer = Dataset::new(images, vec![3], classes(5))?;
/// assert!(check_fits(&model, &fewer, Split::Evaluation).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_fits(model: &Model, dataset: &Dataset, split: Split) -> Result<(), TrainError> {
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

/// [`score`] on several ranks, each of which runs a part of the images and hears of the others' logits: the same bits as on
/// one, since an image's logits do not depend on those beside it. The loss is with the label smoothing that is named.
pub(crate) fn score_on_ranks(
    exchange: &dyn Exchange,
    model: &Model,
    dataset: &Dataset,
    batch_size: NonZeroUsize,
    (split, label_smoothing): (Split, f64),
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Evaluation, TrainError> {
    let (rank, size) = (exchange.rank(), exchange.size());
    if size == 1 {
        return score(model, dataset, batch_size, (split, label_smoothing), on_progress);
    }
    let own: Vec<usize> = (rank * dataset.len() / size..(rank + 1) * dataset.len() / size).collect();
    let (inference, mut bytes, mut images) = (model.inference()?, Vec::new(), Vec::new());
    for (place, batch) in own.chunks(batch_size.get()).enumerate() {
        images.clear();
        for &index in batch {
            extend_unit(&mut images, &dataset.images.image(index)?);
        }
        bytes.extend(inference.logits(&images)?.into_iter().flat_map(f32::to_le_bytes));
        let done = place * batch_size.get() + batch.len();
        on_progress(Progress { images_done: done * dataset.len() / own.len(), images: dataset.len() });
    }
    let gathered = exchange.gather(&bytes).map_err(ModelError::from)?.concat();
    let logits: Vec<f32> = gathered.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let failed = |cause| TrainError::Metrics { split, cause };
    let classes = dataset.class_names.len();
    let mut evaluator = Evaluator::new(classes).with_label_smoothing(label_smoothing);
    let batches = logits.chunks(batch_size.get().saturating_mul(classes));
    for (logits, labels) in batches.zip(dataset.labels.chunks(batch_size.get())) {
        evaluator.update(logits, labels).map_err(failed)?;
    }
    evaluator.finish().map_err(failed)
}

/// [`evaluate`] on a dataset that is known to fit.
pub(crate) fn score(
    model: &Model,
    dataset: &Dataset,
    batch_size: NonZeroUsize,
    (split, label_smoothing): (Split, f64),
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Evaluation, TrainError> {
    let failed = |cause| TrainError::Metrics { split, cause };
    let mut evaluator = Evaluator::new(dataset.class_names.len()).with_label_smoothing(label_smoothing);
    let mut batches = Batches::in_order(dataset, batch_size);
    let inference = model.inference()?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    while batches.next_into(&mut images, &mut labels)? {
        let logits = inference.logits(&images)?;
        evaluator.update(&logits, &labels).map_err(failed)?;
        on_progress(Progress { images_done: evaluator.images(), images: dataset.len() });
    }
    evaluator.finish().map_err(failed)
}
