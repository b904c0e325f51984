//! [`Choice`]: which dataset to load, by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Which dataset to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// What the data folder holds; without one MNIST, or the synthetic digits when the Hub cannot be reached.
    #[default]
    Auto,
    /// MNIST, or an error.
    Mnist,
    /// The synthetic digits.
    Synthetic,
    /// A folder of images, one folder for each class.
    ImageFolder,
    /// Fashion-MNIST: articles of clothing.
    FashionMnist,
    /// Kuzushiji-MNIST: ten cursive Japanese characters.
    Kmnist,
    /// QMNIST: MNIST with all 60,000 test images.
    Qmnist,
    /// EMNIST Balanced: digits and letters, 47 classes.
    EmnistBalanced,
    /// EMNIST Letters: 26 classes, large and small alike.
    EmnistLetters,
    /// EMNIST Digits: 280,000 of them.
    EmnistDigits,
    /// EMNIST MNIST: digits in MNIST's number.
    EmnistMnist,
    /// CIFAR-10: ten classes of small photographs.
    Cifar10,
}

/// The name of no dataset.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no dataset {0:?}; choose one of {names}", names = Choice::ALL.map(Choice::name).join(", "))]
pub struct ParseChoiceError(String);

impl Choice {
    /// All choices.
    pub const ALL: [Self; 12] = [
        Self::Auto,
        Self::Mnist,
        Self::Synthetic,
        Self::ImageFolder,
        Self::FashionMnist,
        Self::Kmnist,
        Self::Qmnist,
        Self::EmnistBalanced,
        Self::EmnistLetters,
        Self::EmnistDigits,
        Self::EmnistMnist,
        Self::Cifar10,
    ];

    /// Its name, such as `auto`, `mnist`, `image-folder` or `fashion-mnist`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Mnist => "mnist",
            Self::Synthetic => "synthetic",
            Self::ImageFolder => "image-folder",
            Self::FashionMnist => "fashion-mnist",
            Self::Kmnist => "kmnist",
            Self::Qmnist => "qmnist",
            Self::EmnistBalanced => "emnist-balanced",
            Self::EmnistLetters => "emnist-letters",
            Self::EmnistDigits => "emnist-digits",
            Self::EmnistMnist => "emnist-mnist",
            Self::Cifar10 => "cifar10",
        }
    }
}

impl Choice {
    /// Whether networks for such images begin by normalising them. Those for MNIST and the synthetic digits do not.
    #[must_use]
    pub fn is_normalized(self) -> bool {
        !matches!(self, Self::Auto | Self::Mnist | Self::Synthetic)
    }

    /// Whether its images are of handwriting, scaled and centred as MNIST's are; [`Preparation`](crate::Preparation) follows from it.
    #[must_use]
    pub fn is_handwriting(self) -> bool {
        !matches!(self, Self::ImageFolder | Self::FashionMnist | Self::Kmnist | Self::Cifar10)
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
