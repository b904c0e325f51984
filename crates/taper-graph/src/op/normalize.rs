//! Normalisation of the images that a network is given.

use serde::{Deserialize, Serialize, Serializer};

use super::{Inferred, shortest_number};
use crate::error::ShapeError;
use crate::shape::Shape;

/// `(x − mean) ÷ std`, channel by channel, with fixed numbers: what is usually done to the pixels of colour images, here a part of the
/// network, so that all who run it give it plain pixels.
///
/// # Shapes
/// `[N, C, H, W]` in and out; C numbers each.
///
/// Source: [`torchvision.transforms.Normalize`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.Normalize.html).
///
/// ```
/// use taper_graph::{Graph, Normalize, Op};
///
/// let halves = Normalize { mean: vec![0.5; 3], std: vec![0.25; 3] };
/// let graph = Graph::sequential("halves", &[3, 8, 8], [Op::Normalize(halves.clone())])?;
/// assert_eq!(graph.output_shape().to_string(), "[N, 3, 8, 8]");
/// assert!(Graph::sequential("grey", &[1, 8, 8], [Op::Normalize(halves)]).is_err());
/// # Ok::<(), taper_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// What is subtracted from each channel.
    #[serde(serialize_with = "shortest_numbers")]
    pub mean: Vec<f32>,
    /// What each channel is then divided by, above 0.
    #[serde(serialize_with = "shortest_numbers")]
    pub std: Vec<f32>,
}

fn shortest_numbers<S: Serializer>(numbers: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers.iter().map(|&number| shortest_number(number)))
}

impl Normalize {
    pub(super) fn infer(&self, input: &Shape) -> Result<Inferred, ShapeError> {
        let [channels, _, _] = input.image()?;
        let refuse = |setting, numbers: &[f32], allowed| {
            Err(ShapeError::Setting { setting, value: format!("{numbers:?}"), allowed })
        };
        for (setting, numbers) in [("mean", &self.mean), ("std", &self.std)] {
            if numbers.len() != channels {
                return refuse(setting, numbers, "a list with one number for each channel of its input");
            }
        }
        if !self.mean.iter().all(|mean| mean.is_finite()) {
            return refuse("mean", &self.mean, "finite numbers");
        }
        // Its reciprocal must be a number too.
        if !self.std.iter().all(|std| *std >= f32::MIN_POSITIVE && std.is_finite()) {
            return refuse("std", &self.std, "numbers above 0");
        }
        Ok(Inferred::plain(input.clone()))
    }
}
