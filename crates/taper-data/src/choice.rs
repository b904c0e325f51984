//! [`Choice`]: which dataset to load, by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Which dataset to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// MNIST, or the synthetic digits when the Hub cannot be reached.
    #[default]
    Auto,
    /// MNIST, or an error.
    Mnist,
    /// The synthetic digits.
    Synthetic,
}

/// The name of no dataset.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no dataset {0:?}; choose one of auto, mnist, synthetic")]
pub struct ParseChoiceError(String);

impl Choice {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Mnist, Self::Synthetic];

    /// Its name: `auto`, `mnist` or `synthetic`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Mnist => "mnist",
            Self::Synthetic => "synthetic",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Choice {
    type Err = ParseChoiceError;

    fn from_str(name: &str) -> Result<Self, ParseChoiceError> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| ParseChoiceError(name.into()))
    }
}
