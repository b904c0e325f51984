//! The values of a graph that is read from its first node to its last.

use std::collections::{BTreeMap, BTreeSet};

use super::data::check_data;
use super::error::BuildError;
use super::fact::{Fact, shape};
use super::infer::Call;
use super::proto::{NodeProto, TensorProto};
use super::size::Size;
use super::table;

/// More dimensions than any runtime takes; a file could otherwise make Taper work on millions of them.
pub(super) const MOST_DIMENSIONS: usize = 64;

/// What is known of the values so far, by name.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) graph: String,
    pub(super) opset: i64,
    facts: BTreeMap<String, Fact>,
    nodes: BTreeSet<String>,
}

impl Scope {
    pub(super) fn new(graph: &str, opset: i64) -> Self {
        Self { graph: graph.to_owned(), opset, facts: BTreeMap::new(), nodes: BTreeSet::new() }
    }

    pub(super) fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.get(name)
    }

    pub(super) fn has_node(&self, name: &str) -> bool {
        self.nodes.contains(name)
    }

    /// Adds a value under a name that must be new.
    pub(super) fn add(&mut self, name: &str, fact: Fact) -> Result<(), BuildError> {
        if name.is_empty() {
            return Err(BuildError::NoName { graph: self.graph.clone(), what: "a value".to_owned() });
        }
        self.check_new(name, &fact)?;
        self.facts.insert(name.to_owned(), fact);
        Ok(())
    }

    /// Whether a value can be added under a name. Nothing is added before everything is checked, so that the graph is
    /// what it was when an error is handed back.
    fn check_new(&self, name: &str, fact: &Fact) -> Result<(), BuildError> {
        let of = || (self.graph.clone(), name.to_owned());
        if self.facts.contains_key(name) {
            let (graph, name) = of();
            return Err(BuildError::DuplicateName { graph, name });
        }
        let is_negative = |size: &Size| size.fixed().is_some_and(|size| size < 0);
        let shape = match fact.rank() {
            rank if rank > MOST_DIMENSIONS => format!("of {rank} dimensions"),
            _ if fact.sizes.iter().any(is_negative) => shape(&fact.sizes),
            _ => return Ok(()),
        };
        let (graph, name) = of();
        Err(BuildError::Shape { graph, name, shape })
    }

    /// Adds a constant.
    pub(super) fn add_constant(&mut self, tensor: &TensorProto) -> Result<(), BuildError> {
        let (graph, name) = (self.graph.clone(), tensor.name.clone());
        let data_type = check_data(tensor).map_err(|reason| BuildError::Constant { graph, name, reason })?;
        self.add(&tensor.name, Fact::of_constant(tensor, data_type))
    }

    /// Adds what `node` makes, having checked that it fits its operator and what it reads.
    pub(super) fn add_node(&mut self, node: &NodeProto) -> Result<(), BuildError> {
        if !node.name.is_empty() && self.nodes.contains(&node.name) {
            return Err(BuildError::DuplicateNode { graph: self.graph.clone(), name: node.name.clone() });
        }
        let facts = self.infer(node)?;
        let made = || node.output.iter().zip(&facts).filter(|(name, _)| !name.is_empty());
        let mut names = BTreeSet::new();
        for (name, fact) in made() {
            self.check_new(name, fact)?;
            if !names.insert(name) {
                return Err(BuildError::DuplicateName { graph: self.graph.clone(), name: name.clone() });
            }
        }
        self.facts.extend(made().map(|(name, fact)| (name.clone(), fact.clone())));
        if !node.name.is_empty() {
            self.nodes.insert(node.name.clone());
        }
        Ok(())
    }

    /// The types of what `node` makes.
    fn infer(&self, node: &NodeProto) -> Result<Vec<Fact>, BuildError> {
        let (graph, op, name) = (self.graph.clone(), node.op_type.clone(), title(node));
        let known = if matches!(node.domain.as_str(), "" | "ai.onnx") { table::find(&op) } else { None };
        let Some(known) = known else { return Err(BuildError::UnknownOp { graph, node: name, op }) };
        let input = |value: &String| match (value.is_empty(), self.facts.get(value)) {
            (true, _) => Ok(None),
            (false, Some(fact)) => Ok(Some(fact)),
            (false, None) => {
                let (graph, node, value) = (graph.clone(), name.clone(), value.clone());
                Err(BuildError::UnknownValue { graph, node, value })
            }
        };
        let inputs = node.input.iter().map(input).collect::<Result<_, _>>()?;
        let call = Call { op: known, opset: self.opset, node, inputs };
        call.infer().map_err(|reason| BuildError::Node { graph, node: name, op, reason })
    }

    /// Calls the value `old` `new`.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        if let Some(fact) = self.facts.remove(old) {
            self.facts.insert(new.to_owned(), fact);
        }
    }
}

/// A node's name, or that of what it makes.
pub(super) fn title(node: &NodeProto) -> String {
    match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => output.clone(),
        (name, _) => name.to_owned(),
    }
}
