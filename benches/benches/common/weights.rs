//! Weights for networks that are written in candle.

use candle_core::{Device, Result, Var};
use candle_nn::VarMap;
use taper_graph::Weights;

/// Variables with the names and values of `weights`.
pub(crate) fn variables(weights: &Weights) -> Result<VarMap> {
    let map = VarMap::new();
    let mut variables =
        map.data().lock().map_err(|_| candle_core::Error::msg("a thread that made variables panicked"))?;
    for (name, array) in weights.iter() {
        let variable = Var::from_slice(&array.data, &array.shape[..], &Device::Cpu)?;
        variables.insert(name.to_owned(), variable);
    }
    drop(variables);
    Ok(map)
}
