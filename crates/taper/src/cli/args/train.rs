//! The flags of training.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};
use taper::model::DeviceKind;
use taper::pipeline::{RunOptions, Start};
use taper::train::{Optimizer, Recipe, Schedule};
use taper::{Config, Error, ModelConfig};

use super::{Cli, DataArgs, ModelArgs, at_least_one, fraction, not_negative, positive, thread_count};

/// A training run: what decides it, and where it goes.
#[derive(Debug, Args)]
pub(in crate::cli) struct TrainArgs {
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
    /// Folder for the run [default: runs/<dataset>-<model>]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Go on with the unfinished run in that folder, to the same bits (`pipeline` does it anyway); leave a finished one as it is
    #[arg(long)]
    pub(in crate::cli) resume: bool,
    /// Steps from one checkpoint to the next; each epoch ends with one too [default: 250]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) checkpoint_every: Option<NonZeroUsize>,
    /// Checkpoints to keep [default: 3]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) keep_checkpoints: Option<NonZeroUsize>,
    /// The licence you publish the weights under, such as mit; for the model card
    #[arg(long, value_name = "ID", value_parser = license)]
    license: Option<String>,
}

/// A search for a learning rate.
#[derive(Debug, Args)]
pub(in crate::cli) struct FindArgs {
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
    /// The first learning rate
    #[arg(long, value_name = "X", value_parser = positive, default_value = "1e-6", allow_negative_numbers = true)]
    pub(in crate::cli) from: f64,
    /// The last one, if the loss does not explode before
    #[arg(long, value_name = "X", value_parser = positive, default_value = "1", allow_negative_numbers = true)]
    pub(in crate::cli) to: f64,
    /// Steps between the two
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value = "200")]
    pub(in crate::cli) steps: usize,
    /// Write the curve as a CSV file
    #[arg(long, value_name = "FILE.csv")]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// Everything that decides how a network is trained; what is not given comes from --config or --recipe, or has its default.
#[derive(Debug, Args)]
pub(in crate::cli) struct SettingsArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// A configuration file, such as the config.toml of a run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Settings by name: `tutorial`, `fast` (one epoch) or `best` (20 epochs); other flags change them. The defaults that flags tell of are the tutorial's [default: tutorial]
    #[arg(long, value_name = "NAME", value_parser = recipe_names(), conflicts_with = "config")]
    recipe: Option<Recipe>,
    /// Passes over the training images [default: 5]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    epochs: Option<usize>,
    /// Images per step [default: 100]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    batch_size: Option<usize>,
    /// Cut every batch into N shards, run one after the other (takes less memory) or shared by processes; differs by rounding, and a batch norm sees its shard only [default: one for each process]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    shards: Option<usize>,
    /// Learning rate; with a schedule, the highest one [default: 0.001]
    #[arg(long, value_name = "X", value_parser = positive, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// How the learning rate changes [default: constant]
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// Share of the steps in which the learning rate first rises [default: 0]
    #[arg(long, value_name = "X", value_parser = fraction, allow_negative_numbers = true)]
    warmup: Option<f64>,
    /// The update rule, with PyTorch's defaults (sgd with momentum 0.9) [default: adam]
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerName>,
    /// The update rule's weight decay [default: 0.01 with adamw, else 0]
    #[arg(long, value_name = "X", value_parser = not_negative, allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Share of the target spread over all classes; the validation loss is with it, too [default: 0]
    #[arg(long, value_name = "X", value_parser = fraction, allow_negative_numbers = true)]
    label_smoothing: Option<f64>,
    /// Probability of every dropout layer, in place of the network's own
    #[arg(long, value_name = "X", value_parser = fraction, allow_negative_numbers = true)]
    dropout: Option<f64>,
    /// Clip the gradients of a step, all together, to this norm
    #[arg(long, value_name = "X", value_parser = positive, allow_negative_numbers = true)]
    clip_norm: Option<f64>,
    /// Keep a moving average of the weights with this decay, such as 0.999, instead of the weights (running statistics of batch norm are kept as they are)
    #[arg(long, value_name = "X", value_parser = fraction, allow_negative_numbers = true)]
    ema_decay: Option<f64>,
    /// End after N epochs without a lower validation loss
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    early_stopping: Option<usize>,
    #[command(flatten)]
    augment: AugmentArgs,
    /// Decides the first weights, the split, the order of the images, their changes and the dropout [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// What trains: cpu, or cuda or metal through candle, if built with that feature; scoring and exporting stay on the CPU [default: cpu]
    #[arg(long, value_name = "NAME", value_parser = device_names())]
    device: Option<DeviceKind>,
    /// Compute in plain Rust, which gives the same bits on every kind of processor, only slower
    #[arg(long)]
    deterministic_portable: bool,
    /// Threads to compute on; changes no result [default: all cores]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    threads: Option<usize>,
}

/// Where `--help` puts the flags of [`AugmentArgs`].
const CHANGES: &str = "Random changes to training images";

/// How training images are changed at random; the flags have the names of the configuration's settings.
#[derive(Debug, Args)]
struct AugmentArgs {
    /// Shift by up to N whole pixels to each side [default: 0]
    #[arg(long, help_heading = CHANGES, value_name = "N")]
    shift: Option<usize>,
    /// Rotate by up to X degrees either way [default: 0]
    #[arg(long, help_heading = CHANGES, value_name = "X", value_parser = not_negative, allow_negative_numbers = true)]
    rotation: Option<f64>,
    /// Grow or shrink by up to this fraction, such as 0.1 [default: 0]
    #[arg(long, help_heading = CHANGES, value_name = "X", value_parser = not_negative, allow_negative_numbers = true)]
    scale: Option<f64>,
    /// Shear by up to X degrees either way [default: 0]
    #[arg(long, help_heading = CHANGES, value_name = "X", value_parser = not_negative, allow_negative_numbers = true)]
    shear: Option<f64>,
    /// Distort elastically, by so many pixels on average along each axis [default: 0]
    #[arg(long, help_heading = CHANGES, value_name = "X", value_parser = not_negative, allow_negative_numbers = true)]
    elastic: Option<f64>,
    /// How far neighbouring pixels move alike in it, in pixels [default: 4]
    #[arg(long, help_heading = CHANGES, value_name = "X", value_parser = positive, allow_negative_numbers = true)]
    elastic_sigma: Option<f64>,
    /// Paint a square of N×N pixels black [default: 0]
    #[arg(long, help_heading = CHANGES, value_name = "N")]
    cutout: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Constant,
    Cosine,
    Linear,
    OneCycle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OptimizerName {
    Adam,
    Adamw,
    Sgd,
}

fn recipe_names() -> impl TypedValueParser<Value = Recipe> {
    PossibleValuesParser::new(Recipe::ALL.map(Recipe::name)).try_map(|name| name.parse::<Recipe>())
}

fn device_names() -> impl TypedValueParser<Value = DeviceKind> {
    PossibleValuesParser::new(DeviceKind::ALL.map(DeviceKind::name))
        .try_map(|name| name.parse::<DeviceKind>())
}

fn license(text: &str) -> Result<String, &'static str> {
    taper::check_license(text).map(|()| text.to_owned())
}

impl TrainArgs {
    /// The configuration, as [`SettingsArgs::config`] has it.
    pub(in crate::cli) fn config(&self) -> Result<Config, Error> {
        let config = self.settings.config()?;
        Ok(Config { license: self.license.clone().or(config.license.clone()), ..config })
    }

    /// Where the run goes; `start` is what becomes of one that is there if the flags do not say.
    pub(in crate::cli) fn options(&self, start: Start) -> RunOptions {
        let mut options = RunOptions::default();
        options.out.clone_from(&self.out);
        options.start = if self.resume { Start::Resume } else { start };
        options.checkpoint_every = self.checkpoint_every.unwrap_or(options.checkpoint_every);
        options.keep_checkpoints = self.keep_checkpoints.unwrap_or(options.keep_checkpoints);
        options
    }
}

impl FindArgs {
    /// Proves that every flag has a use.
    pub(in crate::cli) fn check(&self) -> Result<(), clap::Error> {
        let Some(flag) = self.settings.idle_in_search() else { return Ok(()) };
        let message = format!("`{flag}` does nothing in a search for a learning rate; leave it out");
        Err(Cli::command().error(ErrorKind::ArgumentConflict, message))
    }
}

impl SettingsArgs {
    /// The configuration: the file's, or a recipe's, with the flags put in place.
    pub(in crate::cli) fn config(&self) -> Result<Config, Error> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config { train: self.recipe.unwrap_or_default().config(), ..Config::default() },
        };
        self.data.apply(&mut config.data);
        if let Some(model) = &self.model.model {
            config.model = ModelConfig::from_name(model)?;
        }
        config.data.limit = self.limit.or(config.data.limit);
        config.threads = self.threads.or(config.threads);
        put(self.device, &mut config.device);
        config.deterministic_portable |= self.deterministic_portable;
        let train = &mut config.train;
        put(self.epochs, &mut train.epochs);
        put(self.batch_size, &mut train.batch_size);
        put(self.lr, &mut train.learning_rate);
        put(self.warmup, &mut train.warmup);
        put(self.label_smoothing, &mut train.label_smoothing);
        put(self.seed.map(u64::from), &mut train.seed);
        train.shards = self.shards.or(train.shards);
        train.dropout = self.dropout.or(train.dropout);
        train.clip_norm = self.clip_norm.or(train.clip_norm);
        train.ema_decay = self.ema_decay.or(train.ema_decay);
        train.early_stopping = self.early_stopping.or(train.early_stopping);
        put(self.schedule.map(ScheduleName::schedule), &mut train.schedule);
        put(self.optimizer.map(OptimizerName::optimizer), &mut train.optimizer);
        if let Some(decay) = self.weight_decay {
            train.optimizer = train.optimizer.with_weight_decay(decay);
        }
        self.augment.apply(&mut train.augment);
        match self.dropout {
            Some(dropout) if !config.model.graph()?.has_dropout() => Err(Error::NoDropout { dropout }),
            _ => Ok(config),
        }
    }

    /// The first flag that was given and does nothing in a search for a learning rate.
    fn idle_in_search(&self) -> Option<&'static str> {
        let flags = [
            ("--lr", self.lr.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--warmup", self.warmup.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--early-stopping", self.early_stopping.is_some()),
            ("--ema-decay", self.ema_decay.is_some()),
        ];
        flags.into_iter().find_map(|(name, given)| given.then_some(name))
    }
}

impl AugmentArgs {
    fn apply(&self, augment: &mut taper::data::Augment) {
        put(self.shift, &mut augment.shift);
        put(self.rotation, &mut augment.rotation);
        put(self.scale, &mut augment.scale);
        put(self.shear, &mut augment.shear);
        put(self.elastic, &mut augment.elastic);
        put(self.elastic_sigma, &mut augment.elastic_sigma);
        put(self.cutout, &mut augment.cutout);
    }
}

impl ScheduleName {
    fn schedule(self) -> Schedule {
        match self {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::Cosine => Schedule::Cosine,
            ScheduleName::Linear => Schedule::Linear,
            ScheduleName::OneCycle => Schedule::OneCycle,
        }
    }
}

impl OptimizerName {
    fn optimizer(self) -> Optimizer {
        match self {
            OptimizerName::Adam => Optimizer::adam(),
            OptimizerName::Adamw => Optimizer::adamw(),
            OptimizerName::Sgd => Optimizer::sgd(0.9),
        }
    }
}

/// Puts what was given in place of what is there.
fn put<T>(given: Option<T>, setting: &mut T) {
    if let Some(given) = given {
        *setting = given;
    }
}
