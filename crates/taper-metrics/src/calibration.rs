//! Calibration: does a confidence of 90 % mean right nine times in ten?

use serde::{Deserialize, Serialize};

/// The number of equal-width bins over the confidences 0…1, as in Guo et al. 2017.
pub const CALIBRATION_BINS: usize = 15;

/// The images whose confidence (the highest class probability) lies in one interval: a bar of a reliability
/// diagram.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// The interval's lower end, not part of it.
    pub lower: f64,
    /// The interval's upper end, part of it.
    pub upper: f64,
    /// Number of images in it.
    pub images: u64,
    /// Their mean confidence; 0 without images.
    pub confidence: f64,
    /// The fraction of them classified rightly; 0 without images.
    pub accuracy: f64,
}

/// The expected calibration error: the mean over images of |accuracy − confidence| of their bin
/// (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3). 0 is perfect; 0 without images.
#[must_use]
pub fn expected_calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let images: u64 = bins.iter().map(|bin| bin.images).sum();
    if images == 0 {
        return 0.0;
    }
    let gaps = bins.iter().map(|bin| bin.images as f64 * (bin.accuracy - bin.confidence).abs());
    gaps.sum::<f64>() / images as f64
}

/// Sums by bin, as images arrive.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    images: u64,
    correct: u64,
    confidence: f64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Reliability([Sums; CALIBRATION_BINS]);

impl Reliability {
    pub(crate) fn add(&mut self, confidence: f64, correct: bool) {
        // Compared with the very bounds that are reported; `confidence * 15` rounds differently at some of them.
        let inside = (0..CALIBRATION_BINS).find(|&bin| confidence <= bound(bin + 1));
        let sums = &mut self.0[inside.unwrap_or(CALIBRATION_BINS - 1)];
        sums.images += 1;
        sums.correct += u64::from(correct);
        sums.confidence += confidence;
    }

    pub(crate) fn bins(&self) -> Vec<ReliabilityBin> {
        let bins = self.0.iter().enumerate().map(|(number, sums)| {
            let images = sums.images.max(1) as f64;
            ReliabilityBin {
                lower: bound(number),
                upper: bound(number + 1),
                images: sums.images,
                confidence: sums.confidence / images,
                accuracy: sums.correct as f64 / images,
            }
        });
        bins.collect()
    }
}

fn bound(bin: usize) -> f64 {
    bin as f64 / CALIBRATION_BINS as f64
}
