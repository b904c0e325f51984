//! The parameters an op brings.

/// How a parameter is initialised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// Half the width of the interval.
        bound: f64,
    },
    /// One value throughout.
    Constant(f32),
}

impl Init {
    /// PyTorch's default for convolution and linear layers, weight and bias alike: uniform within
    /// `1/√fan_in`, which is Kaiming uniform (He et al. 2015) with `a = √5`.
    pub fn fan_in(fan_in: usize) -> Self {
        Init::Uniform { bound: 1.0 / (fan_in as f64).sqrt() }
    }
}

/// One parameter of an op.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The name within its node, as in PyTorch: `weight`, `bias`, `running_mean`, `running_var`.
    pub name: &'static str,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// `false` for running statistics, which the optimiser leaves alone.
    pub trainable: bool,
}

impl Param {
    pub(crate) fn trained(name: &'static str, shape: Vec<usize>, init: Init) -> Self {
        Self { name, shape, init, trainable: true }
    }

    pub(crate) fn statistic(name: &'static str, shape: Vec<usize>, init: Init) -> Self {
        Self { name, shape, init, trainable: false }
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}
