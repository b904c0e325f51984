//! Classifying pictures with a trained network.

use std::path::Path;

use serde::Serialize;
use taper_data::extend_unit;
use taper_data::prepare::{SIDE, digit_file};
use taper_metrics::softmax;
use taper_model::{Inference, Model};

use crate::error::Error;
use crate::run::RunFolder;

/// A trained network that classifies pictures.
#[derive(Debug)]
pub struct Predictor {
    inference: Inference,
    class_names: Vec<String>,
}

/// What a network says about one picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// The file.
    pub image: String,
    /// The most probable class.
    pub class: String,
    /// The probability of that class, from 0 to 1.
    pub probability: f64,
    /// All classes with their probabilities, the most probable first.
    pub probabilities: Vec<(String, f64)>,
}

impl Predictor {
    /// The network of a finished run.
    ///
    /// # Errors
    /// [`Error`] naming the file that is missing or wrong.
    pub fn open(folder: &RunFolder) -> Result<Self, Error> {
        let (weights, metadata) = folder.network()?;
        let model = Model::from_weights(metadata.graph, &weights)?;
        let (input, classes, names) = (model.graph().input_shape(), model.classes()?, metadata.class_names);
        if input.item() != [1, SIDE, SIDE] || classes != names.len() {
            let (path, input) = (folder.path().to_owned(), input.to_string());
            return Err(Error::NotDigits { path, input, classes, names: names.len() });
        }
        Ok(Self { inference: model.inference()?, class_names: names })
    }

    /// Classifies a PNG or JPEG file of any size and colour: it is made grey, inverted if it is dark on light, scaled
    /// and centred as MNIST's digits are.
    ///
    /// # Errors
    /// [`Error`] naming the file and what is wrong with it.
    pub fn predict(&self, image: &Path) -> Result<Prediction, Error> {
        let pixels = digit_file(image)?;
        let mut input = Vec::with_capacity(pixels.len());
        extend_unit(&mut input, &pixels);
        let probabilities = softmax(&self.inference.logits(&input)?);
        let mut ranked: Vec<(String, f64)> = self.class_names.iter().cloned().zip(probabilities).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (class, probability) = ranked.first().cloned().unwrap_or_default();
        Ok(Prediction { image: image.display().to_string(), class, probability, probabilities: ranked })
    }
}
