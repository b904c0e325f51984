//! The names of nodes beside those of values.

use std::collections::BTreeSet;

use super::proto::GraphProto;

/// Calls every node that bears the name of a value that it does not make by what it makes.
///
/// ONNX keeps the two kinds of names apart; tract 0.23 has one list of both, and refuses a node called like a constant.
/// The new names clash with no other node's: a node that bears the name of another's value is itself renamed.
pub(super) fn part(graph: &mut GraphProto) {
    let named = graph.initializer.iter().map(|constant| &constant.name);
    let named = named.chain(graph.input.iter().map(|input| &input.name));
    let values: BTreeSet<String> =
        named.chain(graph.node.iter().flat_map(|node| &node.output)).cloned().collect();
    for node in &mut graph.node {
        if values.contains(&node.name) && !node.output.contains(&node.name) {
            node.name = node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
        }
    }
}
