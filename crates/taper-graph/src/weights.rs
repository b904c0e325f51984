//! The values of a graph's parameters, as plain arrays that any crate can read.

use std::collections::BTreeMap;

use crate::graph::Graph;

/// A dense f32 array in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its elements; as many as the product of the sizes.
    pub data: Vec<f32>,
}

/// The values of all parameters of a graph, in graph order, checked to fit it.
///
/// This is how weights pass between crates that share no tensor library: `taper-model` gives and takes them,
/// `taper-export` writes and reads them.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    arrays: Vec<(String, Array)>,
}

/// Why arrays are not the weights of a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("these are not the weights of the network `{graph}`: {}", self.reasons())]
pub struct WeightsError {
    /// The graph's name.
    pub graph: String,
    /// Parameters of the graph that are not there.
    pub missing: Vec<String>,
    /// Arrays that the graph has no parameter for.
    pub unexpected: Vec<String>,
    /// Name, expected shape, found shape.
    pub mis_shaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Name, expected and found number of elements of arrays of the right shape.
    pub mis_sized: Vec<(String, usize, usize)>,
}

impl WeightsError {
    fn reasons(&self) -> String {
        let mut reasons = Vec::new();
        if !self.missing.is_empty() {
            reasons.push(format!("missing {}", self.missing.join(", ")));
        }
        if !self.unexpected.is_empty() {
            reasons.push(format!("unexpected {}", self.unexpected.join(", ")));
        }
        for (name, expected, found) in &self.mis_shaped {
            reasons.push(format!("{name} is {found:?} and should be {expected:?}"));
        }
        for (name, expected, found) in &self.mis_sized {
            reasons.push(format!("{name} has {found} elements and should have {expected}"));
        }
        reasons.join("; ")
    }
}

impl Weights {
    /// The weights of `graph` from arrays by name.
    ///
    /// # Errors
    /// [`WeightsError`] listing everything missing, unexpected or of the wrong shape.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use taper_graph::{Array, Graph, Linear, Op, Weights};
    /// let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear { out_features: 1, bias: false })])?;
    /// let weight = Array { shape: vec![1, 2], data: vec![0.5, -0.5] };
    /// let weights = Weights::new(&graph, BTreeMap::from([("0.weight".to_owned(), weight)]))?;
    /// assert_eq!(weights.get("0.weight").map(|a| a.data[0]), Some(0.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(graph: &Graph, mut arrays: BTreeMap<String, Array>) -> Result<Self, WeightsError> {
        let mut error = WeightsError {
            graph: graph.name().to_owned(),
            missing: Vec::new(),
            unexpected: Vec::new(),
            mis_shaped: Vec::new(),
            mis_sized: Vec::new(),
        };
        let mut ordered = Vec::new();
        for named in graph.params() {
            let expected = &named.param.shape;
            match arrays.remove(&named.name) {
                None => error.missing.push(named.name),
                Some(array) if array.shape != *expected => {
                    error.mis_shaped.push((named.name, expected.clone(), array.shape));
                }
                Some(array) if array.data.len() != named.param.elements() => {
                    error.mis_sized.push((named.name, named.param.elements(), array.data.len()));
                }
                Some(array) => ordered.push((named.name, array)),
            }
        }
        error.unexpected = arrays.into_keys().collect();
        if error.reasons().is_empty() { Ok(Self { arrays: ordered }) } else { Err(error) }
    }

    /// Name and array of every parameter, in graph order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Array)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// The array of one parameter.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array)
    }
}
