//! MNIST in the size that a network takes, batch after batch.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use taper_data::{Batches, Dataset, Images, idx};
use taper_graph::Graph;

use crate::options::Options;
use crate::{Outcome, SEED};

/// The most bytes of images that are held, a byte for each pixel and channel, or one batch if that is more; the rule of
/// `xtask/peers/README.md`.
const HELD_BYTES: usize = 1 << 28;

/// Batches without end, each pass in another order.
pub(crate) struct Feed<'a> {
    data: &'a Dataset,
    batch: NonZeroUsize,
    batches: Batches<'a>,
    pass: u64,
    pub(crate) images: Vec<f32>,
    pub(crate) labels: Vec<u8>,
}

impl<'a> Feed<'a> {
    pub(crate) fn new(data: &'a Dataset, batch: usize) -> Outcome<Self> {
        let batch = NonZeroUsize::new(batch).ok_or("--batch is 0")?;
        if data.len() < batch.get() {
            return Err(format!("a batch of {batch} is more than the {} images held", data.len()).into());
        }
        let batches = Batches::shuffled(data, batch, SEED, 1);
        Ok(Self { data, batch, batches, pass: 1, images: Vec::new(), labels: Vec::new() })
    }

    /// The next whole batch.
    pub(crate) fn advance(&mut self) -> Outcome<()> {
        while !self.batches.next_into(&mut self.images, &mut self.labels)?
            || self.labels.len() < self.batch.get()
        {
            self.pass += 1;
            self.batches = Batches::shuffled(self.data, self.batch, SEED, self.pass);
        }
        Ok(())
    }
}

/// MNIST's images in the size that the network takes.
pub(crate) fn images(graph: &Graph, options: &Options) -> Outcome<Dataset> {
    let from = idx::read_images(&file(&options.data, "train-images-idx3-ubyte")?)?;
    let labels = idx::read_labels(&file(&options.data, "train-labels-idx1-ubyte")?)?;
    let [channels, height, width] = graph.input_shape().image()?;
    let len = channels * height * width;
    let count = (HELD_BYTES / len).max(options.batch).min(from.count()).min(labels.len());
    let mut pixels = Vec::with_capacity(count * len);
    for image in from.iter().take(count) {
        let image = image?;
        for _ in 0..channels {
            for row in (0..height).map(|row| row * from.height() / height) {
                let row = &image[row * from.width()..][..from.width()];
                pixels.extend((0..width).map(|column| row[column * from.width() / width]));
            }
        }
    }
    let images = Images::new(count, channels, height, width, pixels)?;
    Ok(Dataset::digits(images, labels[..count].to_vec())?)
}

/// The file, packed or not.
fn file(folder: &Path, name: &str) -> Outcome<PathBuf> {
    let names = [name.to_owned(), format!("{name}.gz")];
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{} has no {name}", folder.display()).into())
}
