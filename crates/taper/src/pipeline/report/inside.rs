//! A look into the network: filters, feature maps, and reasons for a class.

use taper_data::{DataError, Dataset, extend_unit};
use taper_graph::{Array, Graph, Op, ValueId, Weights};
use taper_model::{Model, stages};
use taper_report::{Explanation, Maps, Picture, Sample};

use super::predictions::picture;
use crate::error::Error;

/// The maps that reasons are looked for in: the last ones of the convolutions.
pub(super) fn last_maps(graph: &Graph) -> Option<ValueId> {
    stages(graph).pop()
}

/// Where the network finds reasons for the class it named, and for the right one. None for a network without maps.
pub(super) fn explanations(
    model: &Model,
    maps: Option<ValueId>,
    data: &Dataset,
    sample: &Sample,
) -> Result<Vec<Explanation>, Error> {
    let Some(maps) = maps else { return Ok(Vec::new()) };
    let image = input(data, sample.index)?;
    let mut found = Vec::new();
    for class in [sample.prediction(), sample.label] {
        let Array { shape, data } = model.grad_cam(&image, maps, class)?;
        let map = Maps::new(model.graph().value_name(maps), [1, shape[0], shape[1]], data);
        found.extend(map.map(|map| Explanation { class, map }));
    }
    Ok(found)
}

/// The weights of the first convolution; none for filters of a single weight.
pub(super) fn filters(graph: &Graph, weights: &Weights) -> Option<Maps> {
    let first = graph.nodes().iter().find(|node| matches!(node.op, Op::Conv2d(_)))?;
    let name = format!("{}.weight", first.name);
    let (_, Array { shape, data }) = weights.iter().find(|(weight, _)| *weight == name)?;
    let &[outputs, inputs, height, width] = shape.as_slice() else { return None };
    if height * width == 1 {
        return None;
    }
    Maps::filters(&first.name, [outputs, inputs, height, width], data.clone())
}

/// Stages of a network that are shown: the first, the last, and some between them.
const SHOWN: usize = 4;

/// The first training image, and what stages of the network make of it. None for a network without maps.
pub(super) fn features(model: &Model, data: &Dataset) -> Result<Option<(Picture, Vec<Maps>)>, Error> {
    let (graph, at) = (model.graph(), spread(&stages(model.graph())));
    let fits = !at.is_empty() && !data.is_empty();
    let picture = if fits { picture(data, 0)? } else { None };
    let Some(picture) = picture else { return Ok(None) };
    let values = model.values(&input(data, 0)?, &at)?.into_iter().zip(at);
    let maps = values.filter_map(|(Array { shape, data }, at)| {
        let &[_, count, height, width] = shape.as_slice() else { return None };
        Maps::new(graph.value_name(at), [count, height, width], data)
    });
    Ok(Some((picture, maps.collect())))
}

/// As many as are shown, evenly from the first to the last.
fn spread(stages: &[ValueId]) -> Vec<ValueId> {
    let shown = stages.len().min(SHOWN);
    (0..shown).map(|at| stages[at * (stages.len() - 1) / (shown - 1).max(1)]).collect()
}

/// Image `index` as the network takes it.
fn input(data: &Dataset, index: usize) -> Result<Vec<f32>, DataError> {
    let bytes = data.images.image(index)?;
    let mut image = Vec::with_capacity(bytes.len());
    extend_unit(&mut image, &bytes);
    Ok(image)
}
