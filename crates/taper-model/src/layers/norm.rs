//! Batch normalisation.

use candle_core::{ModuleT, Result, Tensor, Var};
use candle_nn::{BatchNormConfig, Init, VarBuilder};

use crate::model::moved_statistics;
use crate::ops;

/// Batch norm: [`candle_nn::BatchNorm`] on [`ops::batch_norm_train`] and [`ops::batch_norm_eval`].
///
/// # Shapes
/// `[N, C, …]` → the same; statistics, `weight` and `bias` are `[C]`.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    running: [Var; 2],
    weight: Tensor,
    bias: Tensor,
    config: BatchNormConfig,
}

impl BatchNorm {
    /// The running mean.
    #[must_use]
    pub fn running_mean(&self) -> &Tensor {
        self.running[0].as_tensor()
    }

    /// The running variance.
    #[must_use]
    pub fn running_var(&self) -> &Tensor {
        self.running[1].as_tensor()
    }

    /// Scale and shift, if they are learnt.
    #[must_use]
    pub fn weight_and_bias(&self) -> Option<(&Tensor, &Tensor)> {
        self.config.affine.then_some((&self.weight, &self.bias))
    }

    fn run(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (weight, bias, eps) = (&self.weight, &self.bias, self.config.eps);
        if !train {
            let [mean, variance] = [&self.running[0], &self.running[1]].map(|var| var.as_tensor());
            return ops::batch_norm_eval(x, weight, bias, [mean, variance], eps);
        }
        let (y, statistics) = ops::batch_norm_train(x, weight, bias, eps)?;
        let count = x.elem_count() / statistics.mean.len().max(1);
        let running = [self.running[0].to_vec1()?, self.running[1].to_vec1()?];
        let moved = moved_statistics(running, &statistics, self.config.momentum, count);
        for (var, values) in self.running.iter().zip(moved) {
            var.set(&Tensor::from_vec(values, var.dims(), var.device())?)?;
        }
        Ok(y)
    }
}

impl ModuleT for BatchNorm {
    /// Training mode normalises by the batch's statistics and moves the running ones.
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let [images, channels, ref pixels @ ..] = *xs.dims() else {
            candle_core::bail!("batch norm takes [N, C, …], not {:?}", xs.dims())
        };
        if channels != self.weight.dim(0)? {
            candle_core::bail!("this batch norm takes {:?} channels, not {channels}", self.weight.dims());
        }
        if pixels.len() == 2 {
            return self.run(xs, train);
        }
        let image = (images, channels, pixels.iter().product::<usize>(), 1);
        self.run(&xs.reshape(image)?, train)?.reshape(xs.shape())
    }
}

/// Batch norm with parameters named and initialised as by [`candle_nn::batch_norm()`]: `running_mean` and `running_var`,
/// and `weight` and `bias` if it is affine.
///
/// # Errors
/// Candle's, if `vb` has no such parameters; a negative `eps`, or `remove_mean` switched off, which is not supported.
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// let variables = candle_nn::VarMap::new();
/// let vb = candle_nn::VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
/// let norm = taper_model::layers::batch_norm(2, 1e-5, vb)?;
/// let y = norm.forward_t(&Tensor::new(&[[1f32, 2.0], [3.0, 2.0]], &Device::Cpu)?, true)?;
/// assert!((y.to_vec2::<f32>()?[1][0] - 1.0).abs() < 1e-4);
/// assert_eq!(norm.running_mean().to_vec1::<f32>()?, [0.2, 0.2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn batch_norm<C: Into<BatchNormConfig>>(
    num_features: usize,
    config: C,
    vb: VarBuilder<'_>,
) -> Result<BatchNorm> {
    let config = config.into();
    if config.eps < 0.0 || !config.remove_mean {
        candle_core::bail!("batch norm needs an eps of at least 0 and removes the mean; this has {config:?}");
    }
    let get = |name, value| vb.get_with_hints(num_features, name, Init::Const(value));
    let (mean, variance) = (get("running_mean", 0.0)?, get("running_var", 1.0)?);
    let fixed = |value| Tensor::full(value, num_features, vb.device());
    let (weight, bias) = match config.affine {
        true => (get("weight", 1.0)?, get("bias", 0.0)?),
        false => (fixed(1f32)?.contiguous()?, fixed(0f32)?.contiguous()?),
    };
    let running = [Var::from_tensor(&mean)?, Var::from_tensor(&variance)?];
    Ok(BatchNorm { running, weight, bias, config })
}
