//! Batch norm folded into the convolution before it.

use std::collections::BTreeMap;

use candle_core::{DType, Result};

use super::call::Kind;
use super::emit::Names;
use super::merge::{Merged, Step};
use super::wire::Source;

/// Folds every batch norm into the convolution whose value it alone reads: what the convolution multiplies and adds is
/// multiplied and shifted once, when the file is written. The new weights bear the names of the old ones.
pub(super) fn fold(merged: &mut Merged, inputs: usize, names: &mut Names) -> Result<()> {
    let readers = readers(merged);
    let mut makers = BTreeMap::new();
    let mut first = inputs;
    for place in 0..merged.steps.len() {
        let value = first;
        first += merged.steps[place].count();
        makers.insert(value, place);
        let Some(conv) = foldable(&merged.steps, place, &makers, &readers) else { continue };
        let folded = folded(&merged.steps[conv], &merged.steps[place], names)?;
        // The norm's step becomes the convolution, so that all values keep their numbers.
        merged.steps[place] = folded;
    }
    Ok(())
}

/// How often each value is read, by steps and as an output.
fn readers(merged: &Merged) -> BTreeMap<usize, usize> {
    let mut readers = BTreeMap::new();
    let sources = merged.steps.iter().flat_map(|step| &step.inputs).chain(&merged.outputs);
    for source in sources {
        if let Source::Made(value) = source {
            *readers.entry(*value).or_default() += 1;
        }
    }
    readers
}

/// The convolution that the batch norm at `place` can be folded into.
fn foldable(
    steps: &[Step],
    place: usize,
    makers: &BTreeMap<usize, usize>,
    readers: &BTreeMap<usize, usize>,
) -> Option<usize> {
    let norm = &steps[place];
    let (Kind::BatchNorm { .. }, [Source::Made(value), parameters @ ..]) =
        (&norm.call.kind, &norm.inputs[..])
    else {
        return None;
    };
    let conv = *makers.get(value)?;
    let (Kind::Conv { .. }, [_, weights @ ..]) = (&steps[conv].call.kind, &steps[conv].inputs[..]) else {
        return None;
    };
    let is_constant =
        |source: &Source| matches!(source, Source::Constant(tensor, _) if tensor.dtype() == DType::F32);
    let is_alone = readers.get(value) == Some(&1) && weights.iter().all(|weight| count(steps, weight) == 1);
    (is_alone && parameters.iter().chain(weights).all(is_constant)).then_some(conv)
}

/// How many steps read a constant: one that is shared keeps its name and its numbers.
fn count(steps: &[Step], constant: &Source) -> usize {
    let Source::Constant(wanted, _) = constant else { return 0 };
    let is_same =
        |source: &&Source| matches!(source, Source::Constant(tensor, _) if tensor.id() == wanted.id());
    steps.iter().flat_map(|step| &step.inputs).filter(is_same).count()
}

/// The convolution that does what both do.
fn folded(conv: &Step, norm: &Step, names: &mut Names) -> Result<Step> {
    let tensor = |step: &Step, place: usize| match step.inputs.get(place) {
        Some(Source::Constant(tensor, _)) => Some(tensor.clone()),
        _ => None,
    };
    let wide =
        |step: &Step, place: usize| tensor(step, place).map(|tensor| tensor.to_dtype(DType::F64)).transpose();
    let missing = || candle_core::Error::Msg("a batch norm has no statistics".to_owned());
    let eps = if let Kind::BatchNorm { eps } = norm.call.kind { eps } else { 0.0 };
    let (mean, variance) = (wide(norm, 1)?.ok_or_else(missing)?, wide(norm, 2)?.ok_or_else(missing)?);
    let mut scale = (variance + eps)?.sqrt()?.recip()?;
    if let Some(weight) = wide(norm, 3)? {
        scale = (scale * weight)?;
    }
    let mut bias = match wide(conv, 2)? {
        Some(bias) => ((bias - mean)? * &scale)?,
        None => (mean.neg()? * &scale)?,
    };
    if let Some(shift) = wide(norm, 4)? {
        bias = (bias + shift)?;
    }
    let weight = wide(conv, 1)?.ok_or_else(missing)?;
    let mut sizes = vec![1; weight.rank()];
    sizes[0] = scale.elem_count();
    let weight = weight.broadcast_mul(&scale.reshape(sizes)?)?.to_dtype(DType::F32)?;
    let bias = bias.to_dtype(DType::F32)?;

    let old = tensor(conv, 1).and_then(|old| names.of(&old).map(str::to_owned));
    let old_bias = tensor(conv, 2).and_then(|old| names.of(&old).map(str::to_owned));
    if let Some(name) = old {
        // A layer without a bias gets one beside its weight.
        let beside = name.strip_suffix("weight").map(|layer| format!("{layer}bias"));
        let beside = beside.filter(|name| !names.has(name));
        names.alias(&weight, name);
        if let Some(name) = old_bias.or(beside) {
            names.alias(&bias, name);
        }
    }
    Ok(Step {
        call: conv.call.clone(),
        sizes: Vec::new(),
        open: None,
        inputs: vec![conv.inputs[0].clone(), Source::Constant(weight, None), Source::Constant(bias, None)],
        dtypes: norm.dtypes.clone(),
        shapes: norm.shapes.clone(),
        at: norm.at,
    })
}
