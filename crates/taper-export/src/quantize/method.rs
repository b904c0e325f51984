//! How the range of a value is chosen.

use std::fmt;
use std::str::FromStr;

/// How the range of a value is chosen from the numbers it takes on calibration images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Method {
    /// From the least to the greatest: nothing is cut off, and one outlier makes the steps coarse for all.
    #[default]
    MinMax,
    /// What is left when one number in ten thousand is cut off at either end.
    Percentile,
    /// The range in which the distribution of the numbers changes least, by its Kullback-Leibler divergence, as in
    /// [TensorRT](https://www.cse.iitd.ac.in/~rijurekha/course/tensorrt.pdf).
    Entropy,
}

/// A word that names no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no way to calibrate; choose one of {}", Method::ALL.map(Method::name).join(", "))]
pub struct UnknownMethod {
    /// The word.
    pub word: String,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 3] = [Method::MinMax, Method::Percentile, Method::Entropy];

    /// Its name: `min-max`, `percentile`, `entropy`.
    pub fn name(self) -> &'static str {
        match self {
            Method::MinMax => "min-max",
            Method::Percentile => "percentile",
            Method::Entropy => "entropy",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(word: &str) -> Result<Self, UnknownMethod> {
        let known = Self::ALL.into_iter().find(|method| method.name() == word);
        known.ok_or_else(|| UnknownMethod { word: word.to_owned() })
    }
}
