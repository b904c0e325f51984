//! [`Recipe`]: settings that go well together, by name.

use taper_data::Augment;

use crate::config::FitConfig;
use crate::optimizer::Optimizer;
use crate::schedule::Schedule;

/// Settings that were tried together on MNIST with the network `tutorial`; `docs/accuracy.md` has what they gave.
///
/// ```
/// use taper_train::{FitConfig, Recipe};
/// assert_eq!(Recipe::Tutorial.config(), FitConfig::default());
/// assert_eq!("fast".parse::<Recipe>()?.config().epochs, 1);
/// assert!(!Recipe::Best.config().augment.is_off());
/// # Ok::<(), taper_train::ParseRecipeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Recipe {
    /// What tutorials do: five epochs of Adam at 0.001, and nothing else.
    #[default]
    Tutorial,
    /// One epoch that counts: a high learning rate that rises and falls, little dropout.
    Fast,
    /// The best accuracy: twenty epochs, every image changed at random each time.
    Best,
}

/// A word that is no recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no recipe `{name}`; there are tutorial, fast and best")]
pub struct ParseRecipeError {
    /// The word.
    pub name: String,
}

impl Recipe {
    /// All recipes.
    pub const ALL: [Recipe; 3] = [Recipe::Tutorial, Recipe::Fast, Recipe::Best];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Recipe::Tutorial => "tutorial",
            Recipe::Fast => "fast",
            Recipe::Best => "best",
        }
    }

    /// Its settings. The schedules go with the number of epochs, so that a recipe can be run for more or fewer of them.
    #[must_use]
    pub fn config(self) -> FitConfig {
        let tutorial = FitConfig::default();
        match self {
            Recipe::Tutorial => tutorial,
            Recipe::Fast => FitConfig {
                epochs: 1,
                learning_rate: 4e-3,
                schedule: Schedule::Linear,
                warmup: 0.1,
                dropout: Some(0.1),
                ..tutorial
            },
            Recipe::Best => FitConfig {
                epochs: 20,
                learning_rate: 3e-3,
                schedule: Schedule::Linear,
                warmup: 0.1,
                dropout: Some(0.1),
                optimizer: Optimizer::adamw(),
                augment: Augment { shift: 2, rotation: 10.0, scale: 0.1, elastic: 0.8, ..Augment::default() },
                ..tutorial
            },
        }
    }
}

impl std::fmt::Display for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Recipe {
    type Err = ParseRecipeError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|recipe| recipe.name() == name);
        found.ok_or_else(|| ParseRecipeError { name: name.to_owned() })
    }
}
