//! One run on several ranks: rank 0 leads it, with the folder and the files, and the others follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use taper_data::Dataset;
use taper_graph::Graph;
use taper_model::exchange::Exchange;
use taper_model::{DeviceKind, Model, ModelError, Shards, Trainer};
use taper_train::{Checkpoint, Checkpointing, Control, Event, Fitted, TrainError, fit_on_rank};

use super::{Data, Observer, RunEvent, fit, load_data, resume, train};
use crate::config::Config;
use crate::error::Error;
use crate::run::RunFolder;

/// What rank 0 has the others do.
pub(super) enum Beginning<'a> {
    /// Nothing: the run in the folder is finished.
    Finished,
    /// Train from the first step, or from a checkpoint.
    Train(Option<&'a Checkpoint>),
}

/// The first byte of a [`Beginning`] on its way.
const FINISHED: u8 = 0;
const ANEW: u8 = 1;
const GOES_ON: u8 = 2;

/// A configuration with the number of shards that decides what is computed: one for each rank if it does not say. One shard is
/// what there is without a number.
///
/// # Errors
/// [`Error::Train`] and [`Error::Model`] for a number that cannot be.
pub(super) fn with_shards(config: &Config, exchange: &dyn Exchange) -> Result<Config, Error> {
    let shards = config.train.shards.unwrap_or(exchange.size());
    let mut config = config.clone();
    config.train.shards = Some(shards).filter(|&shards| shards != 1);
    config.train.validate().map_err(TrainError::from)?;
    Shards::new(shards, exchange.rank(), exchange.size())?;
    if shards > 1 && config.device != DeviceKind::Cpu {
        return Err(ModelError::OnCandle.into());
    }
    Ok(config)
}

/// Lets the other ranks get the data, which are there by now, and proves that all ranks were asked for the same run.
///
/// # Errors
/// [`Error::OtherRank`], on all ranks, naming the first setting that differs.
pub(super) fn meet(exchange: &dyn Exchange, config: &Config, data: &Data) -> Result<(), Error> {
    if exchange.size() == 1 {
        return Ok(());
    }
    if exchange.rank() == 0 {
        exchange.broadcast(b"the data are there").map_err(ModelError::from)?;
    }
    let settings = resume::settings(config, data)?;
    let text = serde_json::to_vec(&settings).unwrap_or_default();
    let gathered = exchange.gather(&text).map_err(ModelError::from)?;
    let of: Vec<BTreeMap<String, String>> =
        gathered.iter().map(|text| serde_json::from_slice(text).unwrap_or_default()).collect();
    let first = &of[0];
    for (rank, settings) in of.iter().enumerate() {
        let names = first.keys().chain(settings.keys());
        if let Some(name) = names.into_iter().find(|name| first.get(*name) != settings.get(*name)) {
            let value = |settings: &BTreeMap<String, String>| {
                settings.get(name).map_or("not given", String::as_str).to_owned()
            };
            let (first, other) = (value(first), value(settings));
            return Err(Error::OtherRank { rank, setting: name.clone(), first, other });
        }
    }
    Ok(())
}

/// Tells the other ranks what to do, and in which folder it is kept.
pub(super) fn tell(
    exchange: &dyn Exchange,
    folder: &RunFolder,
    beginning: Beginning<'_>,
) -> Result<(), Error> {
    let word = match beginning {
        // Nobody hears it.
        _ if exchange.size() == 1 => return Ok(()),
        Beginning::Finished => vec![FINISHED],
        Beginning::Train(None) => vec![ANEW],
        Beginning::Train(Some(checkpoint)) => {
            let mut word = checkpoint.to_bytes().map_err(TrainError::from)?;
            word.push(GOES_ON);
            word
        }
    };
    exchange.broadcast(&word).map_err(ModelError::from)?;
    // They may have been started elsewhere.
    let path = std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
    exchange.broadcast(path.to_string_lossy().as_bytes()).map_err(ModelError::from)?;
    Ok(())
}

/// Trains on a rank.
pub(super) fn fit_on(
    graph: &Graph,
    data: [&Dataset; 2],
    config: &Config,
    checkpointing: Checkpointing<'_>,
    exchange: Arc<dyn Exchange>,
    on_event: &mut dyn FnMut(&Event<'_>) -> Control,
) -> Result<Fitted, TrainError> {
    let model = Model::new(graph.clone(), config.train.seed)?.on(config.device)?;
    fit_on_rank(model, data, &config.train, checkpointing, exchange, on_event)
}

/// Takes part in the run that rank 0 leads with [`lead`](super::lead), and writes nothing. The observer hears of the steps, and
/// of the folder of rank 0 when training begins. Gives whether the run was interrupted.
///
/// # Errors
/// [`Error`] naming the place and the remedy: what rank 0 finds wrong as well, and what is wrong on this rank alone.
pub fn follow(
    config: &Config,
    exchange: Arc<dyn Exchange>,
    observer: &mut Observer<'_>,
) -> Result<bool, Error> {
    let config = with_shards(config, &*exchange)?;
    config.settle_instruction_set()?;
    let graph = config.model.graph()?;
    Trainer::check(&graph)?;
    exchange.broadcast(&[]).map_err(ModelError::from)?;
    let data = load_data(&config.data, &mut |_| ())?;
    meet(&*exchange, &train::resolved(&config, &data), &data)?;
    let (train, validation) = fit::split(&config.data, &data, config.train.seed)?;
    let graph = fit::graph(&config, &data, &train)?;
    let word = exchange.broadcast(&[]).map_err(ModelError::from)?;
    let folder = exchange.broadcast(&[]).map_err(ModelError::from)?;
    let from = match word.split_last() {
        None | Some((&FINISHED, _)) => return Ok(false),
        Some((&GOES_ON, bytes)) => Some(Checkpoint::from_bytes(bytes, &graph).map_err(TrainError::from)?),
        Some(_) => None,
    };
    let folder = RunFolder::new(String::from_utf8_lossy(&folder).into_owned());
    (observer.run)(RunEvent::Begins { folder: &folder });
    let checkpointing = Checkpointing { from, every: None, save: None };
    let fitted = fit_on(&graph, [&train, &validation], &config, checkpointing, exchange, observer.train)?;
    Ok(fitted.interrupted)
}
