//! What the network says of every test image, and which of them are worth showing.

use std::num::NonZeroUsize;

use taper_data::{Batches, DataError, Dataset};
use taper_metrics::{argmax, softmax};
use taper_model::Model;
use taper_report::{Picture, Sample};

use super::super::EVALUATION_BATCH;
use crate::error::Error;

/// Images shown that were classified rightly.
const RIGHT: usize = 20;

/// Mistakes shown.
const WORST: usize = 12;

/// The answers to all images of a dataset.
pub(super) struct Predictions {
    classes: usize,
    /// The probability of each class, image by image.
    probabilities: Vec<Vec<f64>>,
    labels: Vec<u8>,
    predicted: Vec<usize>,
}

impl Predictions {
    pub(super) fn of(model: &Model, data: &Dataset) -> Result<Self, Error> {
        let (inference, classes) = (model.inference()?, model.classes()?);
        let batch = NonZeroUsize::new(EVALUATION_BATCH).unwrap_or(NonZeroUsize::MIN);
        let mut batches = Batches::in_order(data, batch);
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let (mut probabilities, mut predicted) = (Vec::new(), Vec::new());
        while batches.next_into(&mut images, &mut labels).map_err(DataError::from)? {
            for logits in inference.logits(&images)?.chunks_exact(classes) {
                // There is a logit at least, or the run would have no classes.
                predicted.push(argmax(logits).unwrap_or(0));
                probabilities.push(softmax(logits));
            }
        }
        Ok(Self { classes, probabilities, labels: data.labels.clone(), predicted })
    }

    /// How many images of each class were taken for each class.
    pub(super) fn confusion_matrix(&self) -> Vec<Vec<u64>> {
        let mut counts = vec![vec![0; self.classes]; self.classes];
        for (&label, &taken) in self.labels.iter().zip(&self.predicted) {
            counts[usize::from(label)][taken] += 1;
        }
        counts
    }

    /// The first images of each class that were classified rightly, class by class, then the second ones, and so on.
    pub(super) fn right(&self) -> Vec<usize> {
        let mut seen = vec![0; usize::from(u8::MAX) + 1];
        let mut right: Vec<(usize, u8, usize)> = Vec::new();
        for (index, &label) in self.labels.iter().enumerate() {
            if self.predicted[index] == usize::from(label) {
                right.push((seen[usize::from(label)], label, index));
                seen[usize::from(label)] += 1;
            }
        }
        right.sort_unstable();
        right.into_iter().take(RIGHT).map(|(_, _, index)| index).collect()
    }

    /// The mistakes with the greatest loss, the worst first.
    pub(super) fn worst(&self) -> Vec<usize> {
        let wrong = |&index: &usize| self.predicted[index] != usize::from(self.labels[index]);
        let mut worst: Vec<usize> = (0..self.labels.len()).filter(wrong).collect();
        // The loss falls as the probability of the right class rises. Stable: equal ones stay in order.
        let probability = |index: usize| self.probabilities[index][usize::from(self.labels[index])];
        worst.sort_by(|&a, &b| probability(a).total_cmp(&probability(b)));
        worst.truncate(WORST);
        worst
    }

    /// These images with what the network says of them.
    pub(super) fn samples(&self, data: &Dataset, indices: &[usize]) -> Result<Vec<Sample>, DataError> {
        let samples = indices.iter().filter_map(|&index| {
            let (label, probabilities) = (usize::from(self.labels[index]), self.probabilities[index].clone());
            let sample = |picture| Sample { index, picture, label, probabilities, explanations: Vec::new() };
            Some(picture(data, index).transpose()?.map(sample))
        });
        samples.collect()
    }
}

/// Image `index` of a dataset.
pub(super) fn picture(data: &Dataset, index: usize) -> Result<Option<Picture>, DataError> {
    let images = &data.images;
    let shape = [images.channels(), images.height(), images.width()];
    Ok(Picture::of_image(shape, &images.image(index)?))
}
