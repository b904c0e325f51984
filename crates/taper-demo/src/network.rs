//! What the page has to know of a network.

use serde::Serialize;

use crate::DemoError;

/// A network as the page sees it: what it is given and what it answers.
///
/// All of it stands in the ONNX file, but a browser's runtime does not tell a file's metadata.
///
/// ```
/// use taper_demo::{Answer, Drawing, Element, Input, Layout, Network, Output};
///
/// let network = Network {
///     name: "lenet5".to_owned(),
///     input: Input {
///         name: "image".to_owned(),
///         element: Element::Float32 { low: 0.0, high: 1.0 },
///         layout: Layout::Nchw,
///         channels: 1,
///         height: 28,
///         width: 28,
///     },
///     drawing: Drawing::Handwriting,
///     output: Output { name: "logits".to_owned(), answer: Answer::Logits },
///     classes: (0..10).map(|digit| digit.to_string()).collect(),
///     dataset: None,
///     accuracy: None,
/// };
/// assert!(network.classes.len() <= Network::MOST_CLASSES);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// Its name, to be shown.
    pub name: String,
    /// What it is given.
    pub input: Input,
    /// How an image for it is made of a drawing.
    pub drawing: Drawing,
    /// What it answers.
    pub output: Output,
    /// The name of each class, in the order of the answer.
    pub classes: Vec<String>,
    /// The name of the data it was trained on, to be shown.
    pub dataset: Option<String>,
    /// The share of test images it classifies rightly, from 0 to 1, to be shown.
    pub accuracy: Option<f64>,
}

/// The one input: a batch of images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// Its name in the file.
    pub name: String,
    /// The type of its numbers.
    #[serde(flatten)]
    pub element: Element,
    /// The order of its dimensions.
    pub layout: Layout,
    /// 1 for grey images, 3 for colour ones, which get the same grey in all three.
    pub channels: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
}

/// The numbers of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "element", rename_all = "lowercase")]
pub enum Element {
    /// Bytes from 0 to 255, as in picture files; the file normalises them itself.
    UInt8,
    /// 16-bit floating point, in the answer too; in browsers from 2024 and 2025 on.
    Float16 {
        /// What the byte 0 became in training.
        low: f32,
        /// What the byte 255 became in training.
        high: f32,
    },
    /// 32-bit floating point.
    Float32 {
        /// What the byte 0 became in training.
        low: f32,
        /// What the byte 255 became in training.
        high: f32,
    },
}

/// The order of the dimensions of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[N, C, H, W]`.
    Nchw,
    /// `[N, H, W, C]`.
    Nhwc,
}

/// How an image for a network is made of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Drawing {
    /// Cut out, scaled and centred by its mass, as the digits of MNIST were.
    Handwriting,
    /// Scaled as it is, with its ground.
    Picture,
}

/// The one output, `[N, K]` in floating point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// What its numbers are.
    pub answer: Answer,
}

/// What a network's last numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Logits: the page puts a softmax over them.
    Logits,
    /// Probabilities.
    Probabilities,
}

/// An image to try the network on with one click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The name of its class.
    pub label: String,
    /// Grey levels, row by row, as many as an image of the network has pixels; 0 is paper and 255 is ink.
    pub pixels: Vec<u8>,
}

/// The longest side of an image that the page can draw for, in pixels.
const LONGEST: usize = 1024;

impl Network {
    /// The most classes that the page tells apart.
    pub const MOST_CLASSES: usize = 10_000;

    /// Proves that the page can draw for this network and show its answers.
    pub(crate) fn check(&self) -> Result<(), DemoError> {
        let Input { channels, height, width, element, .. } = self.input;
        let (classes, most) = (self.classes.len(), Self::MOST_CLASSES);
        let problem = if !matches!(channels, 1 | 3) {
            format!("it takes images of {channels} channels; give one for grey images (1) or colour ones (3)")
        } else if ![height, width].iter().all(|side| (1..=LONGEST).contains(side)) {
            format!("it takes images of {height}×{width} pixels; the page draws up to {LONGEST}×{LONGEST}")
        } else if !(2..=most).contains(&classes) {
            format!("it tells {classes} classes apart; give one with 2 to {most}")
        } else if let Element::Float16 { low, high } | Element::Float32 { low, high } = element
            && !(low.is_finite() && high.is_finite())
        {
            format!("its pixels go from {low} to {high}; give one with a finite range")
        } else {
            return Ok(());
        };
        Err(DemoError::Network { problem })
    }
}
