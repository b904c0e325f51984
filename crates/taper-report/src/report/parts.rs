//! What a report is made of.

use taper_metrics::Evaluation;

use crate::card::{ExportFacts, SplitSizes};
use crate::maps::Maps;
use crate::picture::Picture;

/// What is known of a run. What is left out is not mentioned.
///
/// ```
/// use taper_graph::Preset;
/// use taper_report::{
///     Curves, DataFacts, EpochPoint, Explanation, Maps, Picture, Report, ReportParts, Sample, Speed, StepPoint,
/// };
///
/// let mut parts = ReportParts::default();
/// parts.curves = Curves {
///     steps: vec![StepPoint { epoch: 1, step: 1, loss: 2.3, accuracy: 0.1, learning_rate: 0.001 }],
///     epochs: vec![EpochPoint { epoch: 1, step: 1, loss: 2.1, accuracy: 0.2 }],
/// };
/// parts.kept_epoch = Some(1);
/// parts.speed =
///     Some(Speed { seconds: 0.5, images_per_second: 200.0, threads: 1, instruction_set: "avx2".into() });
/// let image = Picture::of_image([1, 2, 2], &[0, 90, 180, 255]).ok_or("no picture")?;
/// let map = Maps::new("layer2.1", [1, 1, 2], vec![0.0, 1.0]).ok_or("no map")?;
/// let mut probabilities = vec![0.0; 10];
/// (probabilities[4], probabilities[9]) = (0.3, 0.7);
/// let explanations = vec![Explanation { class: 9, map }];
/// let mistake = Sample { index: 7, picture: image, label: 4, probabilities, explanations };
/// assert_eq!(mistake.prediction(), 9);
/// parts.mistakes.push(mistake);
///
/// let graph = Preset::LeNet5.graph()?;
/// let page = Report::new(&graph, DataFacts::default(), parts).render()?;
/// assert!(page.contains("Worst mistakes") && page.contains("reasons for 9"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReportParts<'a> {
    /// What each class is called, in order; numbered from 0 when there are not as many as classes.
    pub class_names: Vec<String>,
    /// How many images each part of the data had.
    pub splits: Option<SplitSizes>,
    /// The scores on the test images.
    pub evaluation: Option<&'a Evaluation>,
    /// The scores on the same images, each seen shifted to all sides as well (test-time augmentation).
    pub shifted: Option<&'a Evaluation>,
    /// How training went.
    pub curves: Curves,
    /// The epoch whose weights were kept, from 1.
    pub kept_epoch: Option<usize>,
    /// What a reader must know of the run before all else, as sentences.
    pub notes: Vec<String>,
    /// How fast it was.
    pub speed: Option<Speed>,
    /// What is known of the ONNX file.
    pub export: Option<ExportFacts>,
    /// The main settings, as pairs of name and value.
    pub settings: Vec<(String, String)>,
    /// All settings, as the text of a configuration file.
    pub config: Option<String>,
    /// What it was made with, as pairs of name and version.
    pub versions: Vec<(String, String)>,
    /// Test images classified rightly.
    pub gallery: Vec<Sample>,
    /// Test images classified wrongly, the worst first.
    pub mistakes: Vec<Sample>,
    /// The filters of the first convolution ([`Maps::filters`]).
    pub filters: Option<Maps>,
    /// An image and what becomes of it, stage by stage.
    pub features: Option<(Picture, Vec<Maps>)>,
}

/// The history of training.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    /// Every step, in order.
    pub steps: Vec<StepPoint>,
    /// Every epoch that was validated, in order.
    pub epochs: Vec<EpochPoint>,
}

/// One step of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPoint {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step, from 1 over all epochs.
    pub step: usize,
    /// Mean loss over the batch.
    pub loss: f64,
    /// Fraction of the batch classified rightly.
    pub accuracy: f64,
    /// The rate of the update.
    pub learning_rate: f64,
}

/// The validation after one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochPoint {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The last step of the epoch.
    pub step: usize,
    /// Mean loss over the validation images.
    pub loss: f64,
    /// Fraction of the validation images classified rightly.
    pub accuracy: f64,
}

/// How fast training was, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// Wall time of all steps.
    pub seconds: f64,
    /// Images over those seconds.
    pub images_per_second: f64,
    /// Threads computed on.
    pub threads: usize,
    /// The instruction set.
    pub instruction_set: String,
}

/// A test image and what the network says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which test image, from 0.
    pub index: usize,
    /// The image.
    pub picture: Picture,
    /// Its class.
    pub label: usize,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
    /// Where the network finds its reasons, for some classes.
    pub explanations: Vec<Explanation>,
}

/// Where in an image a network finds reasons for a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The class.
    pub class: usize,
    /// A map `[1, H, W]`, greater where there are more.
    pub map: Maps,
}

impl Sample {
    /// The most probable class; the first, if two are equal.
    #[must_use]
    pub fn prediction(&self) -> usize {
        let mut best = 0;
        for (class, probability) in self.probabilities.iter().enumerate() {
            if *probability > self.probabilities[best] {
                best = class;
            }
        }
        best
    }

    /// The probability of a class.
    pub(super) fn probability(&self, class: usize) -> f64 {
        self.probabilities.get(class).copied().unwrap_or(0.0)
    }
}
