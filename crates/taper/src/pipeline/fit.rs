//! The parts of the data that a run trains and validates with, and the network for them.

use taper_data::{Choice, DataError, Dataset};
use taper_graph::{Graph, Normalize};

use super::Data;
use crate::config::{Config, DataConfig};
use crate::error::Error;
use crate::metrics::NormalizedBy;

/// Training images that are held out, if nothing is said of it.
pub(super) const VALIDATION: usize = 5000;

/// Training and validation part. What the data do not set apart is drawn from the seed; the limit cuts the training part only.
pub(super) fn split(config: &DataConfig, data: &Data, seed: u64) -> Result<(Dataset, Dataset), Error> {
    let of_folders = data.provenance.choice == Choice::ImageFolder;
    let (train, validation) = match (&data.validation, config.validation) {
        (Some(validation), _) => (data.train.clone(), validation.clone()),
        (None, None) if of_folders => data.train.split_tenth(seed),
        (None, count) => {
            let (train, validation) = (data.train.len(), count.unwrap_or(VALIDATION));
            if train <= validation {
                return Err(Error::TooFewImages { train, validation });
            }
            data.train.split(validation, seed)
        }
    };
    if validation.is_empty() {
        return Err(Error::TooFewImages { train: train.len(), validation: 1 });
    }
    if data.test.is_empty() {
        return Err(Error::NoTestImages);
    }
    let limit = config.limit.unwrap_or(usize::MAX).min(train.len());
    // Images of folders lie class by class: the first ones would be of one class.
    let train = if of_folders { train.split(train.len() - limit, seed).0 } else { train.take(limit) };
    Ok((train, validation))
}

/// The network of the configuration for these images: a preset is made for their size and classes, and what is trained on images of
/// folders begins by normalising them.
pub(super) fn graph(config: &Config, data: &Data, train: &Dataset) -> Result<Graph, Error> {
    let images = &data.train.images;
    let (image, classes) =
        ([images.channels(), images.height(), images.width()], data.train.class_names.len());
    let refuse = |cause| Error::NoNetworkFor { images: image, classes, cause };
    let graph = config.model.graph_for(image, classes).map_err(refuse)?;
    if graph.input_shape().item() != image || graph.output_shape().item() != [classes] {
        return Err(Error::OtherNetwork {
            graph: graph.name().to_owned(),
            input: graph.input_shape().item(),
            output: graph.output_shape().to_string(),
            name: data.provenance.name.clone(),
            images: image,
            classes,
        });
    }
    if !data.provenance.choice.is_normalized() {
        return Ok(graph);
    }
    let statistics = train.images.channel_statistics().map_err(DataError::from)?;
    let mean = statistics.iter().map(|(mean, _)| *mean as f32).collect();
    // Of images that are all alike there is nothing to divide by.
    let std = statistics.iter().map(|(_, std)| if *std > 0.0 { *std as f32 } else { 1.0 }).collect();
    Ok(graph.normalized(Normalize { mean, std })?)
}

/// What the network normalises its images by.
pub(super) fn normalized_by(graph: &Graph) -> Option<NormalizedBy> {
    let Normalize { mean, std } = graph.normalization()?.clone();
    Some(NormalizedBy { mean, std })
}
