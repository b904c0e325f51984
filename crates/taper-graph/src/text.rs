//! A graph as a TOML file.
//!
//! ```toml
//! name = "small"
//! input = [1, 28, 28]          # C, H, W
//!
//! [[layers]]
//! name = "conv"                # left out: the layer's number, from 0
//! op = "conv2d"
//! out_channels = 8
//! kernel = 3                   # or [3, 3]
//!
//! [[layers]]
//! op = "relu"                  # reads the layer above, unless `inputs = ["…"]` says otherwise
//! ```

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::GraphError;
use crate::graph::{Graph, INPUT, ValueId};
use crate::op::Op;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    input: Vec<usize>,
    layers: Vec<Table>,
}

impl Graph {
    /// Reads a network file: a name, the input sizes and a list of layers. A layer reads the one above it
    /// unless `inputs` names others.
    ///
    /// # Errors
    /// [`GraphError`] naming the line (of a syntax error) or the layer, and what would be right.
    pub fn from_toml(text: &str) -> Result<Self, GraphError> {
        let text: Text =
            toml::from_str(text).map_err(|error| GraphError::Syntax { cause: error.to_string() })?;
        let mut graph = Graph::new(text.name, &text.input)?;
        for (index, layer) in text.layers.into_iter().enumerate() {
            let layer = Layer::read(index, layer)?;
            let inputs = layer.resolve_inputs(&graph)?;
            graph.wire(layer.name, layer.op, &inputs)?;
        }
        graph.check_complete()?;
        Ok(graph)
    }

    /// Writes the graph as a network file that [`Graph::from_toml`] reads back.
    pub fn to_toml(&self) -> String {
        let mut text = format!("name = {}\ninput = {:?}\n", quoted(self.name()), self.input_shape().item());
        for (index, node) in self.nodes().iter().enumerate() {
            text.push_str("\n[[layers]]\n");
            if node.name != index.to_string() {
                text.push_str(&format!("name = {}\n", quoted(&node.name)));
            }
            // An op of plain numbers and flags always has a TOML form.
            let settings = Table::try_from(&node.op).unwrap_or_default();
            text.push_str(&settings.to_string());
            if node.inputs.iter().map(|value| value.index()).ne([index]) {
                let names: Vec<String> =
                    node.inputs.iter().map(|&value| quoted(self.value_name(value))).collect();
                text.push_str(&format!("inputs = [{}]\n", names.join(", ")));
            }
        }
        text
    }
}

/// One layer of a network file.
struct Layer {
    name: String,
    op: Op,
    inputs: Option<Vec<String>>,
}

impl Layer {
    fn read(index: usize, mut table: Table) -> Result<Self, GraphError> {
        let given_name = table.get("name").and_then(Value::as_str).map(str::to_owned);
        let fail = |cause: String| GraphError::Layer { number: index + 1, name: given_name.clone(), cause };
        let name = match table.remove("name") {
            None => index.to_string(),
            Some(Value::String(name)) => name,
            Some(other) => return Err(fail(format!("`name` must be a string, not {}", other.type_str()))),
        };
        let inputs = match table.remove("inputs") {
            None => None,
            Some(value) => {
                let names = Vec::<String>::deserialize(value);
                Some(names.map_err(|_| fail("`inputs` must be a list of layer names".to_owned()))?)
            }
        };
        if !table.contains_key("op") {
            return Err(fail("it has no `op`; say which, for instance op = \"relu\"".to_owned()));
        }
        let op = Op::deserialize(table.clone()).map_err(|error| fail(error.to_string().trim().to_owned()))?;
        if let Some(unknown) = unknown_setting(&table, &op) {
            return Err(fail(format!("`{}` has no setting `{unknown}`", op.name())));
        }
        Ok(Self { name, op, inputs })
    }

    fn resolve_inputs(&self, graph: &Graph) -> Result<Vec<ValueId>, GraphError> {
        let Some(names) = &self.inputs else { return Ok(vec![graph.output()]) };
        let values = (0..=graph.nodes().len()).map(|index| match index {
            0 => (INPUT, graph.input()),
            _ => (graph.nodes()[index - 1].name.as_str(), graph.value_at(index)),
        });
        let values: Vec<(&str, ValueId)> = values.collect();
        let find = |name: &String| {
            values.iter().find(|(known, _)| known == name).map(|&(_, value)| value).ok_or_else(|| {
                GraphError::UnknownInput {
                    node: self.name.clone(),
                    input: name.clone(),
                    known: values.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
                }
            })
        };
        names.iter().map(find).collect()
    }
}

/// serde lets an op without settings carry any key; this finds what the op would not write itself.
fn unknown_setting(table: &Table, op: &Op) -> Option<String> {
    let known = Table::try_from(op).unwrap_or_default();
    table.keys().find(|key| !known.contains_key(*key)).cloned()
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

impl Serialize for Graph {
    /// As the text of a network file.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_toml())
    }
}

impl<'de> Deserialize<'de> for Graph {
    /// From the text of a network file.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Graph::from_toml(&text).map_err(serde::de::Error::custom)
    }
}
