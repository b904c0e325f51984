//! [`Augment`]: random changes to training images, so that a network sees no image twice.

mod cutout;
mod elastic;
mod resample;
mod shift;

use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, Rng};
use elastic::Elastic;
use resample::{Affine, resample};
pub use shift::shift_into;

/// Random changes to training images, the strength of each; all are off by default.
///
/// Every image is changed anew in every epoch. What is drawn follows from the seed, the epoch and the image's number in the
/// dataset alone, and is the same on every machine, whatever the number of threads. Pixels that come from beyond the edge are
/// black. It is the `[train.augment]` table of a configuration file.
///
/// # Examples
/// ```
/// use taper_data::{Augment, Draw};
///
/// let image = [0, 0, 0, 0, 255, 0, 0, 0, 0]; // `[1, 3, 3]`
/// let augment = Augment { shift: 1, ..Augment::default() };
/// let mut changed = [0.0; 9];
/// augment.apply(&image, [1, 3, 3], Draw { seed: 0, epoch: 1, image: 0 }, &mut changed);
/// assert_eq!(changed.iter().sum::<f32>(), 1.0); // the white pixel is still there, perhaps elsewhere
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// The furthest shift in each direction, in whole pixels: every shift up to it is as likely, in x as in y. A shift alone
    /// keeps all grey levels, as torchvision's `RandomCrop(padding=shift)`.
    pub shift: usize,
    /// The largest rotation about the middle either way, in degrees: torchvision's `RandomAffine(degrees=rotation)`.
    pub rotation: f64,
    /// The largest change in size, as a fraction: 0.1 scales by 0.9 to 1.1.
    pub scale: f64,
    /// The largest shear along x either way, in degrees.
    pub shear: f64,
    /// How far pixels move along each axis on average (root mean square, in pixels) by elastic distortion (Simard et al. 2003, "Best
    /// Practices for Convolutional Neural Networks"), where neighbours move alike.
    pub elastic: f64,
    /// How far the likeness of neighbours reaches, in pixels: the standard deviation of the Gaussian that smooths the
    /// displacements.
    pub elastic_sigma: f64,
    /// The side of a square, in pixels, that is painted black anywhere in the image (DeVries & Taylor 2017, "Cutout"); it may
    /// reach over the edge.
    pub cutout: usize,
}

impl Default for Augment {
    fn default() -> Self {
        Self { shift: 0, rotation: 0.0, scale: 0.0, shear: 0.0, elastic: 0.0, elastic_sigma: 4.0, cutout: 0 }
    }
}

/// Decides what is drawn for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch.
    pub epoch: u64,
    /// The image's number in its dataset.
    pub image: u64,
}

/// The largest shear, in degrees: at 90 the image would be infinitely long.
const LARGEST_SHEAR: f64 = 80.0;

impl Augment {
    /// Whether images stay as they are.
    #[must_use]
    pub fn is_off(&self) -> bool {
        let Self { shift, elastic, cutout, .. } = *self;
        shift == 0 && cutout == 0 && elastic == 0.0 && !self.is_affine()
    }

    /// The first setting out of its bounds: its name in a configuration file, its value, and what would do.
    ///
    /// ```
    /// let wrong = taper_data::Augment { scale: 1.5, ..Default::default() };
    /// assert_eq!(wrong.refused().map(|refused| refused.0), Some("augment.scale"));
    /// assert_eq!(taper_data::Augment::default().refused(), None);
    /// ```
    #[must_use]
    pub fn refused(&self) -> Option<(&'static str, f64, &'static str)> {
        let Self { shift, rotation, scale, shear, elastic, elastic_sigma, cutout } = *self;
        let settings = [
            ("augment.shift", shift as f64, 0.0..=1e6, "a number of pixels up to 1,000,000"),
            ("augment.rotation", rotation, 0.0..=180.0, "degrees from 0 to 180"),
            ("augment.scale", scale, 0.0..=0.9, "a fraction from 0 to 0.9, such as 0.1"),
            ("augment.shear", shear, 0.0..=LARGEST_SHEAR, "degrees from 0 to 80"),
            ("augment.elastic", elastic, 0.0..=1e3, "pixels from 0 to 1000, such as 1"),
            ("augment.elastic_sigma", elastic_sigma, 0.5..=100.0, "pixels from 0.5 to 100, such as 4"),
            ("augment.cutout", cutout as f64, 0.0..=1e6, "a number of pixels up to 1,000,000"),
        ];
        let wrong = settings.into_iter().find(|(_, value, bounds, _)| !bounds.contains(value));
        wrong.map(|(name, value, _, allowed)| (name, value, allowed))
    }

    /// Fills `changed` with a changed `image` of shape `[C, H, W]`, as floats in 0…1. All channels change alike.
    ///
    /// # Panics
    /// When `image` and `changed` are not of that shape or hold nothing, or a setting is [out of its bounds](Augment::refused).
    pub fn apply(&self, image: &[u8], shape: [usize; 3], draw: Draw, changed: &mut [f32]) {
        let [channels, height, width] = shape;
        assert!(self.refused().is_none(), "{:?} is out of its bounds", self.refused());
        assert!(
            !image.is_empty() && image.len() == channels * height * width && changed.len() == image.len(),
            "an image of {} bytes into {} numbers is not of shape {shape:?}",
            image.len(),
            changed.len()
        );
        let mut rng = Rng::at(draw.seed, Purpose::Augment, [draw.epoch, draw.image]);
        let shift = [(); 2].map(|()| whole_pixels(&mut rng, self.shift));
        if self.is_affine() || self.elastic != 0.0 {
            let affine = self.affine(shift, &mut rng);
            let sigma = self.elastic_sigma as f32;
            let elastic = (self.elastic != 0.0)
                .then(|| Elastic::draw([height, width], self.elastic as f32, sigma, &mut rng));
            resample(image, [height, width], &affine, elastic.as_ref(), changed);
        } else {
            shift_into(image, shape, shift, changed);
        }
        if self.cutout != 0 {
            cutout::paint([height, width], self.cutout, &mut rng, changed);
        }
    }

    fn is_affine(&self) -> bool {
        self.rotation != 0.0 || self.scale != 0.0 || self.shear != 0.0
    }

    /// A rotation, scaling and shear about the middle, and a shift.
    fn affine(&self, shift: [isize; 2], rng: &mut Rng) -> Affine {
        let mut within = |most: f64| rng.range(-1.0, 1.0) * most as f32;
        let (rotation, scale, shear) = (within(self.rotation), within(self.scale), within(self.shear));
        Affine::inverse_of(
            rotation.to_radians(),
            1.0 + scale,
            shear.to_radians(),
            shift.map(|way| way as f32),
        )
    }
}

/// A whole number from `-most` to `most`.
fn whole_pixels(rng: &mut Rng, most: usize) -> isize {
    if most == 0 { 0 } else { rng.below(2 * most as u64 + 1) as isize - most as isize }
}
