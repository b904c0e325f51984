//! The command line.

use std::path::PathBuf;

use crate::Outcome;
use crate::engine::Engine;

const USAGE: &str = "usage: taper-bench train|infer [--engine taper|taper-layers|candle|rten] --network FILE --data DIR \
                     --batch B --threads T --steps N --seconds S [--rate R] [--save FILE]";

/// What the command line says.
pub(crate) struct Options {
    pub(crate) engine: Engine,
    pub(crate) training: bool,
    pub(crate) network: PathBuf,
    pub(crate) data: PathBuf,
    /// Adam's learning rate.
    pub(crate) rate: f64,
    /// Nothing is timed: Taper trains, and the weights go here.
    pub(crate) save: Option<PathBuf>,
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    pub(crate) steps: usize,
    pub(crate) seconds: f64,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let training = match words.next().as_deref() {
            Some("train") => true,
            Some("infer") => false,
            _ => return Err(USAGE.into()),
        };
        let mut options = Self {
            engine: Engine::Taper,
            training,
            network: PathBuf::new(),
            data: PathBuf::new(),
            rate: 1e-3,
            save: None,
            batch: 100,
            threads: 1,
            steps: 100,
            seconds: f64::INFINITY,
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--engine" => options.engine = Engine::named(&value)?,
                "--network" => options.network = value.into(),
                "--data" => options.data = value.into(),
                "--rate" => options.rate = value.parse()?,
                "--save" => options.save = Some(value.into()),
                "--batch" => options.batch = value.parse()?,
                "--threads" => options.threads = value.parse()?,
                "--steps" => options.steps = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                _ => return Err(format!("{name} is no option").into()),
            }
        }
        Ok(options)
    }
}
