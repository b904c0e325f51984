//! The ranges of values, from running the float32 file.

use rten::{Model, ModelOptions, NodeId};
use rten_tensor::prelude::*;

use super::histogram::Histogram;
use super::{Method, QuantizeError, Ranges, values};
use crate::onnx::OnnxModel;
use crate::verify::{Interface, given, load, numbers};

/// The most images in one run.
const BATCH: usize = 100;

/// The most numbers that the values of one run may have together: 256 MB.
const MOST_NUMBERS: usize = 1 << 26;

/// Runs `model`, of float32, on `count` images in an independent runtime, and chooses a range for every value that
/// [`quantize`](super::quantize()) needs one of. `images` is what the file itself takes, one after another; bytes are given as
/// numbers from 0 to 255.
///
/// Some hundred images like those that the network will see are enough. They are run a hundred at a time, or as few as it
/// takes to keep the values in 256 MB.
///
/// The runtime has other kernels on other processors, which round otherwise: ranges, and so the bytes of a file in int8,
/// may differ in their last bits between processor families. On one processor they are always the same.
///
/// # Errors
/// [`QuantizeError`]: images that do not fit the file, or values that are not finite.
///
/// ```
/// use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Tensor};
/// use taper_export::quantize::{Method, calibrate};
///
/// let mut graph = GraphBuilder::new("linear", OpsetVersion::default());
/// let x = graph.input("x", DataType::Float32, &[Dim::Symbolic("N".to_owned()), Dim::Fixed(2)])?;
/// let weight = graph.constant("weight", Tensor::f32(&[1, 2], &[0.5, -0.25]))?;
/// let y = graph.node(Node::new("Gemm", "y").inputs([&x, &weight]).int("transB", 1))?;
/// graph.output(&y, "y")?;
/// let ranges = calibrate(&graph.finish([])?, &[0.5, -1.0, 0.25, 1.5], 2, Method::MinMax)?;
/// assert_eq!(ranges.get("x"), Some([-1.0, 1.5]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn calibrate(
    model: &OnnxModel,
    images: &[f32],
    count: usize,
    method: Method,
) -> Result<Ranges, QuantizeError> {
    let run = Run::new(model, images, count)?;
    let mut extremes = vec![Extremes::default(); run.values.len()];
    run.each(|place, numbers| extremes[place].see(numbers))?;
    let ranges = run.values.iter().zip(&extremes).map(|(value, seen)| seen.range(value));
    let mut ranges = ranges.collect::<Result<Vec<[f32; 2]>, _>>()?;
    if method != Method::MinMax {
        let mut histograms: Vec<Histogram> = ranges.iter().map(|&range| Histogram::new(range)).collect();
        run.each(|place, numbers| histograms[place].add(numbers))?;
        ranges = histograms.iter().map(|histogram| histogram.range(method)).collect();
    }
    Ok(Ranges::new(run.values.into_iter().zip(ranges)))
}

/// The least and the greatest number of a value, and one that is not finite.
#[derive(Debug, Clone, Default)]
struct Extremes {
    both: Option<[f32; 2]>,
    odd: Option<f32>,
}

impl Extremes {
    fn see(&mut self, numbers: &[f32]) {
        for &number in numbers {
            if !number.is_finite() {
                self.odd = Some(number);
            }
            let [low, high] = self.both.unwrap_or([number; 2]);
            self.both = Some([low.min(number), high.max(number)]);
        }
    }

    fn range(&self, value: &str) -> Result<[f32; 2], QuantizeError> {
        let refuse = |found: String| Err(QuantizeError::Range { value: value.to_owned(), found });
        match (self.odd, self.both) {
            (Some(odd), _) => refuse(format!("without bounds: it is {odd} on one of the images")),
            (None, Some(both)) => Ok(both),
            (None, None) => refuse("not known".to_owned()),
        }
    }
}

/// The float32 file, ready to be run.
struct Run<'a> {
    model: Model,
    interface: Interface,
    images: &'a [f32],
    /// The values to look at.
    values: Vec<String>,
    /// Those of them that the file computes, by their place: the input is given.
    computed: Vec<(usize, NodeId)>,
    /// The images of one run.
    batch: usize,
}

impl<'a> Run<'a> {
    fn new(file: &OnnxModel, images: &'a [f32], count: usize) -> Result<Self, QuantizeError> {
        let interface = Interface::of_model(file).map_err(|error| failed(&error))?;
        let size = interface.image_size();
        if count == 0 || images.len() != count.saturating_mul(size) {
            return Err(QuantizeError::Images { numbers: images.len(), count, size });
        }
        // What is fused has no name to ask for.
        let mut options = ModelOptions::with_all_ops();
        let model = load(file, options.enable_optimization(false)).map_err(|error| failed(&*error))?;
        let values = values(file);
        let computed = values.iter().enumerate().filter(|(_, value)| **value != interface.input.name);
        let id = |(place, value): (usize, &String)| Ok((place, model.node_id(value)?));
        let computed: Result<Vec<_>, rten::RunError> = computed.map(id).collect();
        let computed = computed.map_err(|error| failed(&error))?;
        let mut run = Self { model, interface, images, values, computed, batch: 1 };
        let mut numbers = 0;
        run.some(&images[..size], |_, value| numbers += value.len())?;
        run.batch = at_once(numbers);
        Ok(run)
    }

    /// Hands the numbers of every value to `see`, with its place, batch by batch.
    fn each(&self, mut see: impl FnMut(usize, &[f32])) -> Result<(), QuantizeError> {
        let mut batches = self.images.chunks(self.batch * self.interface.image_size());
        batches.try_for_each(|images| self.some(images, &mut see))
    }

    /// The same for one batch.
    fn some(&self, images: &[f32], mut see: impl FnMut(usize, &[f32])) -> Result<(), QuantizeError> {
        if let Some(place) = self.values.iter().position(|value| *value == self.interface.input.name) {
            see(place, images);
        }
        let input = given(&self.interface.input, images.len() / self.interface.image_size(), images);
        let inputs = self.model.input_ids().iter().copied().zip([input]).collect();
        let ids: Vec<NodeId> = self.computed.iter().map(|(_, id)| *id).collect();
        let made = self.model.run(inputs, &ids, None).map_err(|error| failed(&error))?;
        for ((place, _), value) in self.computed.iter().zip(made) {
            see(*place, &numbers(value).map_err(|error| failed(&error))?.to_vec());
        }
        Ok(())
    }
}

/// How many images are run at once where the values of one have that many numbers.
fn at_once(numbers: usize) -> usize {
    (MOST_NUMBERS / numbers.max(1)).clamp(1, BATCH)
}

fn failed(error: &dyn std::error::Error) -> QuantizeError {
    QuantizeError::Runtime { cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::at_once;

    #[test]
    fn few_images_are_run_at_once_where_their_values_are_large() {
        let cases = [(0, 100), (50_000, 100), (1 << 26, 1), (1 << 24, 4), (usize::MAX, 1)];
        for (numbers, images) in cases {
            assert_eq!(at_once(numbers), images, "{numbers}");
        }
    }
}
