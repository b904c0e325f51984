//! The configuration of a run, as `config.toml` holds it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taper_data::image_folder::ImageOptions;
use taper_data::{Choice, HubOptions, LoadOptions};
use taper_graph::{Graph, GraphError, Preset};
use taper_kernels::Isa;
use taper_model::{DeviceKind, ModelError};
use taper_train::FitConfig;

use crate::error::Error;

/// Everything that decides a run. What a file leaves out has its default; what it does not know is an error.
///
/// ```
/// let config = taper::Config::from_toml("[train]\nepochs = 2\n")?;
/// assert_eq!((config.train.epochs, config.train.batch_size), (2, 100));
/// assert_eq!(taper::Config::from_toml(&config.to_toml()?)?, config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Threads to compute on; all of the machine's cores if not given. It changes no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Compute in plain Rust, which gives the same bits on every processor. It must be the first that the process computes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deterministic_portable: bool,
    /// What trains: `cpu`, `cuda` or `metal`. All else, such as scoring and exporting, is done on the CPU.
    #[serde(with = "by_name", skip_serializing_if = "is_default")]
    pub device: DeviceKind,
    /// The licence that the weights are published under, as the Hugging Face Hub spells it, such as `mit`: for the model card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// What to learn from.
    pub data: DataConfig,
    /// What to train.
    pub model: ModelConfig,
    /// How to train it.
    pub train: FitConfig,
}

/// What to learn from: the `[data]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `auto`, `mnist`, `synthetic` or `image-folder`; in the `config.toml` of a run, the one that was used.
    #[serde(with = "by_name")]
    pub dataset: Choice,
    /// The folder with the data files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// The branch, tag or commit of the Hub's dataset repository.
    pub revision: String,
    /// The seed of the synthetic digits.
    pub synthetic_seed: u64,
    /// Training images held out to choose the best epoch, drawn from all alike. If not given, 5,000; of images in folders, a tenth of
    /// each class, or what the folder `val` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Train on this many of the remaining images only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How the images of folders become a dataset.
    #[serde(skip_serializing_if = "is_default")]
    pub images: ImageOptions,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            dataset: Choice::Auto,
            data_dir: None,
            revision: "main".to_owned(),
            synthetic_seed: 0,
            validation: None,
            limit: None,
            images: ImageOptions::default(),
        }
    }
}

/// What to train: the `[model]` table, with a preset or the text of a network file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ModelText", into = "ModelText")]
pub enum ModelConfig {
    /// The name of a network that comes with Taper.
    Preset(String),
    /// The text of a network file.
    Graph(String),
}

/// [`ModelConfig`] as a file writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelText {
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<String>,
}

impl TryFrom<ModelText> for ModelConfig {
    type Error = &'static str;

    fn try_from(text: ModelText) -> Result<Self, Self::Error> {
        match (text.preset, text.graph) {
            (Some(preset), None) => Ok(ModelConfig::Preset(preset)),
            (None, Some(graph)) => Ok(ModelConfig::Graph(graph)),
            _ => Err("give either `preset`, a name, or `graph`, the text of a network file"),
        }
    }
}

impl From<ModelConfig> for ModelText {
    fn from(model: ModelConfig) -> Self {
        match model {
            ModelConfig::Preset(preset) => Self { preset: Some(preset), graph: None },
            ModelConfig::Graph(graph) => Self { preset: None, graph: Some(graph) },
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig::Preset(Preset::default().name().to_owned())
    }
}

impl Config {
    /// Reads a configuration, and proves that a run could start with it.
    ///
    /// # Errors
    /// What is wrong with the text, with its line or the setting.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        let counts = [
            ("threads", self.threads),
            ("data.limit", self.data.limit),
            ("data.validation", self.data.validation),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return Err(format!("{name} is 0; it must be at least 1"));
        }
        if let Some(license) = &self.license {
            check_license(license).map_err(|error| format!("license: {error}"))?;
        }
        self.model.graph().map_err(|error| format!("[model]: {error}"))?;
        self.train.validate().map_err(|error| format!("[train]: {error}"))
    }

    /// Makes sure that the instruction set is the one asked for.
    pub(crate) fn settle_instruction_set(&self) -> Result<(), Error> {
        if self.deterministic_portable {
            Isa::portable().force().map_err(ModelError::from)?;
        }
        Ok(())
    }

    /// What training computes with, which the last bits depend on: the instruction set of the CPU, or the device.
    pub(crate) fn computes_with(&self) -> &'static str {
        match self.device {
            DeviceKind::Cpu => Isa::current().name(),
            device => device.name(),
        }
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`Error`] naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path)?;
        Self::from_toml(&text).map_err(|cause| Error::Content {
            path: path.to_owned(),
            what: "configuration file",
            cause,
        })
    }

    /// The whole configuration as text.
    ///
    /// # Errors
    /// [`Error::NoToml`] for a folder whose name is not Unicode, or a seed above 2⁶³ − 1.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|error| Error::NoToml { cause: error.to_string() })
    }
}

impl DataConfig {
    /// What `taper-data` is told; the Hub's address and cache are the environment's.
    pub fn load_options(&self) -> LoadOptions {
        let mut options = LoadOptions::new(self.dataset);
        options.data_dir.clone_from(&self.data_dir);
        options.revision.clone_from(&self.revision);
        options.seed_of_synthetic = self.synthetic_seed;
        options.images.clone_from(&self.images);
        options.hub = HubOptions::from_env();
        options
    }
}

impl ModelConfig {
    /// `name` as the command line gives it: a preset, or the path of a network file, which is read and checked.
    ///
    /// # Errors
    /// [`Error`] for an unknown preset, or a file that cannot be read or holds no valid network.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        if !name.ends_with(".toml") {
            let preset: Preset = name.parse()?;
            return Ok(ModelConfig::Preset(preset.name().to_owned()));
        }
        let path = Path::new(name);
        let text = read_text(path)?;
        Graph::from_toml(&text).map_err(|cause| Error::Graph { file: Some(path.to_owned()), cause })?;
        Ok(ModelConfig::Graph(text))
    }

    /// The network.
    ///
    /// # Errors
    /// [`GraphError`] if it is not valid.
    pub fn graph(&self) -> Result<Graph, GraphError> {
        match self {
            ModelConfig::Preset(preset) => preset.parse::<Preset>()?.graph(),
            ModelConfig::Graph(graph) => Graph::from_toml(graph),
        }
    }

    /// The network for images `[C, H, W]` of so many classes: a preset is made for them, a network file stays as it is.
    ///
    /// # Errors
    /// [`GraphError`] if it is not valid, or the images are too small for a preset.
    pub fn graph_for(&self, image: [usize; 3], classes: usize) -> Result<Graph, GraphError> {
        match self {
            ModelConfig::Preset(preset) => preset.parse::<Preset>()?.graph_for(image, classes),
            ModelConfig::Graph(_) => self.graph(),
        }
    }
}

/// Proves that a licence is spelt as the Hub spells licences: in small letters, digits, points and hyphens.
///
/// # Errors
/// What to give instead.
///
/// ```
/// assert!(taper::check_license("cc-by-4.0").is_ok());
/// assert!(taper::check_license("MIT License").unwrap_err().contains("such as mit"));
/// ```
pub fn check_license(text: &str) -> Result<(), &'static str> {
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    match !text.is_empty() && text.chars().all(is_known) {
        true => Ok(()),
        false => {
            Err("give a licence as the Hugging Face Hub spells it, such as mit, apache-2.0 or cc-by-4.0")
        }
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|cause| Error::Read { path: path.to_owned(), cause })
}

/// What has a name, by that.
mod by_name {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
