//! A graph as a TOML file.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::op::Op;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    input: Vec<usize>,
    layers: Vec<Table>,
}

impl Graph {
    /// Reads a network file: a name, the input sizes and a list of layers.
    ///
    /// A layer has an `op`, named in lower case, and that op's settings, named as the fields of [`Conv2d`](crate::Conv2d)
    /// and its like; those with a default in PyTorch may be left out. It reads the layer above, the first one the input.
    ///
    /// ```
    /// let graph = taper_graph::Graph::from_toml(r#"
    ///     name = "small"
    ///     input = [1, 28, 28]           # C, H, W
    ///
    ///     [[layers]]
    ///     name = "conv"                 # left out: the layer's number, from 0
    ///     op = "conv2d"
    ///     out_channels = 1
    ///     kernel = 3                    # or [3, 3]: height and width
    ///     padding = 1
    ///
    ///     [[layers]]
    ///     op = "add"
    ///     inputs = ["conv", "input"]    # left out: the layer above
    /// "#)?;
    /// assert_eq!(graph.output_shape().to_string(), "[N, 1, 28, 28]");
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    ///
    /// # Errors
    /// [`GraphError`] naming the line (of a syntax error) or the layer, and what would be right.
    pub fn from_toml(text: &str) -> Result<Self, GraphError> {
        let text: Text = toml::from_str(text)
            .map_err(|error| GraphError::Syntax { cause: in_plain_words(&error.to_string()) })?;
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
            text.push_str(&format!("op = {}\n{}", quoted(node.op.name()), settings(&node.op)));
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
        let op = match table.remove("op") {
            None => return Err(fail("it has no `op`; say which, for instance op = \"relu\"".to_owned())),
            Some(Value::String(op)) => op,
            Some(other) => return Err(fail(format!("`op` must be a string, not {}", other.type_str()))),
        };
        let op = read_op(&op, table).map_err(fail)?;
        Ok(Self { name, op, inputs })
    }

    fn resolve_inputs(&self, graph: &Graph) -> Result<Vec<ValueId>, GraphError> {
        let Some(names) = &self.inputs else { return Ok(vec![graph.output()]) };
        let find = |name: &String| {
            graph.value_named(name).ok_or_else(|| graph.unknown_input(self.name.clone(), name.clone()))
        };
        names.iter().map(find).collect()
    }
}

/// The settings of an op. To serde an op is its name, or a table of one entry: its name and its settings.
fn settings(op: &Op) -> Table {
    match Value::try_from(op) {
        Ok(Value::Table(mut named)) => match named.remove(op.name()) {
            Some(Value::Table(settings)) => settings,
            _ => Table::new(),
        },
        _ => Table::new(),
    }
}

/// The reverse of [`settings`].
fn read_op(name: &str, settings: Table) -> Result<Op, String> {
    let first = settings.keys().next().cloned();
    let named = Table::from_iter([(name.to_owned(), Value::Table(settings))]);
    Op::deserialize(named).map_err(|error| match (error.message(), first) {
        ("expected empty table", Some(first)) => format!("`{name}` has no settings; delete `{first}`"),
        // One line: the setting's name follows on a second.
        _ => in_plain_words(&error.to_string()).replace('\n', ", "),
    })
}

/// What the TOML reader says, in the words of a network file.
fn in_plain_words(said: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("unknown variant", "unknown op"),
        ("unknown field", "unknown setting"),
        ("missing field", "missing setting"),
        ("expected usize", "expected a whole number from 0 up"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
    ];
    WORDS.iter().fold(said.trim_end().to_owned(), |text, (jargon, plain)| text.replace(jargon, plain))
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
