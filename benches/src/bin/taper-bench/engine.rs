//! What runs the network.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use rten_tensor::prelude::*;
use rten_tensor::{Tensor as RtenTensor, TensorView};
use taper_export::safetensors;
use taper_export::{DatasetInfo, Metadata};
use taper_graph::{Graph, Preset, Weights};
use taper_model::{Inference, Model, Trainer, TrainerSettings};

use crate::feed::Feed;
use crate::layered::Layered;
use crate::options::Options;
use crate::stock::{Stock, StockTrainer};
use crate::{Outcome, SEED};

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Taper,
    /// Candle's autograd on Taper's layers.
    TaperLayers,
    /// Candle's autograd on candle-nn's layers.
    Candle,
    /// The ONNX file beside the network file, in rten.
    Rten,
}

/// Takes images and labels; gives the loss of a training step, or the first logit.
pub(crate) type Step = Box<dyn FnMut(&[f32], &[u8]) -> Outcome<f64>>;

impl Engine {
    pub(crate) fn named(name: &str) -> Outcome<Self> {
        Ok(match name {
            "taper" => Self::Taper,
            "taper-layers" => Self::TaperLayers,
            "candle" => Self::Candle,
            "rten" => Self::Rten,
            _ => {
                return Err(format!("--engine {name}; there are taper, taper-layers, candle and rten").into());
            }
        })
    }

    /// The version of the library, as it is built in.
    pub(crate) fn version(self) -> String {
        let library = match self {
            Self::Taper => return env!("CARGO_PKG_VERSION").to_owned(),
            Self::TaperLayers | Self::Candle => "candle-core",
            Self::Rten => "rten",
        };
        locked_version(library).unwrap_or("unknown").to_owned()
    }

    /// A step of training or inference of the network.
    pub(crate) fn start(self, graph: Graph, options: &Options) -> Outcome<Step> {
        if matches!(self, Self::TaperLayers | Self::Candle)
            && graph.name() != Preset::Tutorial.graph()?.name()
        {
            return Err(format!("{self:?} is written for the reference CNN, not for {}", graph.name()).into());
        }
        match (self, options.training) {
            (Self::Taper, true) => taper_training(graph, options.rate),
            (Self::Taper, false) => {
                let inference = Inference::new(&graph, &trained(&graph, options)?)?;
                Ok(Box::new(move |images, _| Ok(f64::from(inference.logits(images)?[0]))))
            }
            (Self::TaperLayers, true) => {
                let mut network = Layered::new(&Model::new(graph, SEED)?.weights()?, options.rate)?;
                Ok(Box::new(move |images, labels| Ok(network.step(images, labels)?)))
            }
            (Self::Candle, true) => {
                let mut network = StockTrainer::new(&Model::new(graph, SEED)?.weights()?, options.rate)?;
                Ok(Box::new(move |images, labels| Ok(f64::from(network.step(images, labels)?))))
            }
            (Self::Candle, false) => candle_inference(&trained(&graph, options)?),
            (Self::Rten, false) => rten_inference(&graph, options),
            (Self::TaperLayers, false) => Err("taper-layers is timed in training alone".into()),
            (Self::Rten, true) => Err("rten does not train".into()),
        }
    }
}

/// The weights beside the network file, or random ones if there are none.
fn trained(graph: &Graph, options: &Options) -> Outcome<Weights> {
    let file = options.network.with_extension("safetensors");
    match file.exists() {
        true => Ok(safetensors::load_weights(&file, graph)?),
        false => Ok(Model::new(graph.clone(), SEED)?.weights()?),
    }
}

fn taper_training(graph: Graph, rate: f64) -> Outcome<Step> {
    let mut trainer = trainer(graph)?;
    Ok(Box::new(move |images, labels| Ok(trainer.step(images, labels, rate)?.loss)))
}

fn trainer(graph: Graph) -> Outcome<Trainer> {
    let settings = TrainerSettings { seed: SEED, ..TrainerSettings::default() };
    Ok(Trainer::new(Model::new(graph, SEED)?, settings)?)
}

/// Trains the network as long as the options say, and writes its weights for those who are timed in inference.
pub(crate) fn train_for_all(graph: Graph, feed: &mut Feed<'_>, options: &Options, to: &Path) -> Outcome<()> {
    let mut trainer = trainer(graph)?;
    for _ in 0..options.steps {
        feed.advance()?;
        trainer.step(&feed.images, &feed.labels, options.rate)?;
    }
    let model = trainer.into_model()?;
    let metadata = Metadata::new(model.graph().clone(), DatasetInfo::default(), Vec::new());
    Ok(safetensors::save(to, &model.weights()?, &metadata)?)
}

fn candle_inference(weights: &Weights) -> Outcome<Step> {
    let network = Stock::fixed(weights)?;
    Ok(Box::new(move |images, labels| {
        let images = Tensor::from_slice(images, (labels.len(), 1, 28, 28), &Device::Cpu)?;
        Ok(f64::from(network.forward(&images, false)?.flatten_all()?.to_vec1::<f32>()?[0]))
    }))
}

fn rten_inference(graph: &Graph, options: &Options) -> Outcome<Step> {
    let [channels, height, width] = graph.input_shape().image()?;
    let file = options.network.with_extension("onnx");
    // As rten advises who runs a model more than once.
    let model = rten::ModelOptions::with_all_ops().prepack_weights(true).load(read(&file)?)?;
    let pool = Arc::new(rten::ThreadPool::with_num_threads(options.threads));
    Ok(Box::new(move |images, labels| {
        let images = TensorView::from_data(&[labels.len(), channels, height, width], images);
        let settings = rten::RunOptions::default().with_thread_pool(Some(Arc::clone(&pool)));
        let logits: RtenTensor<f32> = model.run_one(images.as_dyn().into(), Some(settings))?.try_into()?;
        Ok(f64::from(logits.to_vec()[0]))
    }))
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(file)
        .map_err(|cause| format!("{}: {cause}; xtask/peers/onnx_model.py writes it", file.display()).into())
}

/// The version of a package in the workspace's lock file.
fn locked_version(package: &str) -> Option<&'static str> {
    const LOCK: &str = include_str!("../../../../Cargo.lock");
    let (_, rest) = LOCK.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split('"').next()
}
