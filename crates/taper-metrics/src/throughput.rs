//! [`Throughput`]: images over seconds.

use serde::{Deserialize, Serialize};

/// A number of images and the wall-clock time they took.
///
/// ```
/// use taper_metrics::Throughput;
/// assert_eq!(Throughput { images: 3000, seconds: 2.0 }.images_per_second(), 1500.0);
/// assert_eq!(Throughput { images: 3000, seconds: 0.0 }.images_per_second(), 0.0); // unknown, not infinite
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Throughput {
    /// Number of images.
    pub images: u64,
    /// Wall-clock time in seconds.
    pub seconds: f64,
}

impl Throughput {
    /// Images per second; 0 when the time is not a positive number, for then it is unknown.
    #[must_use]
    pub fn images_per_second(&self) -> f64 {
        let rate = self.images as f64 / self.seconds;
        if self.seconds > 0.0 && rate.is_finite() { rate } else { 0.0 }
    }
}

impl std::ops::Add for Throughput {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { images: self.images + other.images, seconds: self.seconds + other.seconds }
    }
}

impl std::iter::Sum for Throughput {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| sum + part)
    }
}
