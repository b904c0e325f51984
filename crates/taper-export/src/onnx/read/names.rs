//! Names of nodes and weights as names of layers.

use super::Reader;
use super::call::Call;

/// `name` with only the characters that names in a Taper graph have; none if nothing is left.
///
/// PyTorch's exporter calls a node `/layer1/layer1.0/Conv`; this becomes `layer1.layer1.0.Conv`.
pub(super) fn legal(name: &str) -> Option<String> {
    let legal = |c: char| match c {
        '/' | ':' => '.',
        c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') => c,
        _ => '_',
    };
    let name: String = name.trim_matches('/').chars().map(legal).collect();
    match name.as_str() {
        "" => None,
        // What a network file calls the input.
        "input" => Some("input_1".to_owned()),
        _ => Some(name),
    }
}

impl<'a> Reader<'a> {
    /// A name for the layer of a node: that of its weight without `.weight`, so that weights keep their names, else
    /// the node's own, else that of its output.
    pub(super) fn name(&self, call: Call<'a>, weight: Option<&str>) -> String {
        let of_weight = weight.and_then(|name| name.strip_suffix(".weight")).and_then(legal);
        let output = || call.node.output.first().and_then(|name| legal(name));
        let name = of_weight.or_else(|| legal(&call.node.name)).or_else(output);
        let name = name.unwrap_or_else(|| call.node.op_type.to_lowercase());
        let is_taken = |name: &String| self.graph.nodes().iter().any(|node| node.name == *name);
        let others = (2..).map(|number| format!("{name}_{number}"));
        std::iter::once(name.clone()).chain(others).find(|name| !is_taken(name)).unwrap_or(name)
    }
}
