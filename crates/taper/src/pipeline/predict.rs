//! Classifying pictures with a trained network.

use std::path::Path;

use serde::{Serialize, Serializer};
use taper_data::image_folder::picture_file;
use taper_data::prepare::digit_file;
use taper_data::{Preparation, extend_unit};
use taper_metrics::softmax;
use taper_model::{Inference, Model};

use crate::error::Error;
use crate::run::RunFolder;

/// A trained network that classifies pictures.
#[derive(Debug)]
pub struct Predictor {
    inference: Inference,
    class_names: Vec<String>,
    /// `[C, H, W]` of what the network takes.
    image: [usize; 3],
    preparation: Preparation,
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
    /// Values of a pixel: 1 for grey, which JSON leaves out, or 3 for red, green and blue.
    #[serde(skip_serializing_if = "is_one")]
    pub channels: usize,
    /// The image as the network sees it, row by row; of a digit, 0 is the background and 255 full ink. In JSON a row is a text of two
    /// hexadecimal digits for each value.
    #[serde(serialize_with = "hexadecimal")]
    pub pixels: Vec<Vec<u8>>,
}

fn is_one(channels: &usize) -> bool {
    *channels == 1
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
        let preparation = Preparation::of(&metadata.dataset.name, &metadata.dataset.source);
        let image = <[usize; 3]>::try_from(input.item()).ok();
        let Some(image) = image.filter(|image| preparation.takes(*image)).filter(|_| classes == names.len())
        else {
            let (path, input) = (folder.path().to_owned(), input.to_string());
            return Err(Error::NotDigits { path, input, classes, names: names.len() });
        };
        Ok(Self { inference: model.inference()?, class_names: names, image, preparation })
    }

    /// Classifies a PNG, JPEG or WebP file of any size and colour. For a network of digits it is made grey, inverted if it is dark on
    /// light, scaled and centred as MNIST's digits are; for others it is prepared as images in folders are.
    ///
    /// # Errors
    /// [`Error`] naming the file and what is wrong with it.
    pub fn predict(&self, image: &Path) -> Result<Prediction, Error> {
        let pixels = match self.preparation {
            Preparation::Handwriting => digit_file(image)?.to_vec(),
            Preparation::Picture => picture_file(image, self.image)?,
        };
        let mut input = Vec::with_capacity(pixels.len());
        extend_unit(&mut input, &pixels);
        let probabilities = softmax(&self.inference.logits(&input)?);
        let mut ranked: Vec<(String, f64)> = self.class_names.iter().cloned().zip(probabilities).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (class, probability) = ranked.first().cloned().unwrap_or_default();
        Ok(Prediction {
            image: image.display().to_string(),
            class,
            probability,
            probabilities: ranked,
            channels: self.image[0],
            pixels: rows(&pixels, self.image),
        })
    }
}

/// An image `[C, H, W]` row by row, pixel by pixel.
fn rows(image: &[u8], [channels, height, width]: [usize; 3]) -> Vec<Vec<u8>> {
    let value =
        |row: usize, place: usize| image[((place % channels) * height + row) * width + place / channels];
    let row = |row| (0..width * channels).map(move |place| value(row, place)).collect();
    (0..height).map(row).collect()
}

fn hexadecimal<S: Serializer>(rows: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    let text = |row: &Vec<u8>| row.iter().map(|pixel| format!("{pixel:02x}")).collect::<String>();
    serializer.collect_seq(rows.iter().map(text))
}
