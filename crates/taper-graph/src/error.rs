//! What can be wrong with a network, said so that it can be put right.

use crate::shape::Shape;
use crate::window::WindowError;

/// Why an op cannot take its inputs; the message says what would fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// The op takes another number of inputs.
    #[error("it takes {expected}, but {found} wired to it")]
    InputCount {
        /// How many it takes, in words.
        expected: &'static str,
        /// How many it got, in words.
        found: String,
    },
    /// The input has the wrong number of dimensions.
    #[error("it takes {expected}, but its input is {input}; {remedy}")]
    Rank {
        /// The input's shape.
        input: Shape,
        /// The shape it takes.
        expected: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The sliding window does not fit the image.
    #[error("on its input {input}, along the {axis}: {cause}")]
    Window {
        /// The input's shape.
        input: Shape,
        /// `height` or `width`.
        axis: &'static str,
        /// What does not fit, and what would.
        cause: WindowError,
    },
    /// Channels cannot be divided into groups.
    #[error(
        "{input} input and {output} output channels cannot both be divided into {groups} groups; use {}",
        fitting_groups(*input, *output)
    )]
    Groups {
        /// The number of input channels.
        input: usize,
        /// The number of output channels.
        output: usize,
        /// The number of groups.
        groups: usize,
    },
    /// A setting is outside its range.
    #[error("{setting} is {value}; use {allowed}")]
    Setting {
        /// Its name in a network file.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Inputs that must agree do not.
    #[error("its inputs are {first} and {other}; {remedy}")]
    Disagree {
        /// The first input's shape.
        first: Shape,
        /// The shape that differs.
        other: Shape,
        /// What to do.
        remedy: &'static str,
    },
    /// A shape without sizes.
    #[error("it has no sizes; give at least one, such as [1, 28, 28] for channels, height and width")]
    NoDimensions,
    /// A dimension is zero.
    #[error("a size of {sizes:?} is 0; every size must be at least 1")]
    ZeroDimension {
        /// The sizes.
        sizes: Vec<usize>,
    },
    /// A tensor would be absurdly large.
    #[error("a tensor of sizes {sizes:?} has more than 2^31 elements; use smaller sizes")]
    TooLarge {
        /// The sizes.
        sizes: Vec<usize>,
    },
}

fn fitting_groups(input: usize, output: usize) -> String {
    let fits = |groups: &usize| input.is_multiple_of(*groups) && output.is_multiple_of(*groups);
    // A list of every divisor of a million would help nobody.
    let fitting: Vec<String> = (1..=input.min(1024)).filter(fits).map(|groups| groups.to_string()).collect();
    fitting.join(", or ")
}

/// Why a graph cannot be built or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// An op does not fit its inputs.
    #[error("node `{node}` ({op}): {cause}")]
    Shape {
        /// The node's name.
        node: String,
        /// The op's name in a network file.
        op: &'static str,
        /// What does not fit, and what would.
        cause: ShapeError,
    },
    /// The graph's input shape is unusable.
    #[error("the input of graph `{graph}`: {cause}")]
    Input {
        /// The graph's name.
        graph: String,
        /// What is wrong.
        cause: ShapeError,
    },
    /// Two nodes bear one name.
    #[error("two nodes are named `{node}`; give each its own name")]
    DuplicateName {
        /// The name.
        node: String,
    },
    /// A name that files and other runtimes could not carry.
    #[error(
        "`{}` is no name for a {what}; use letters, digits, `_`, `-` and `.`, and not `input`",
        name.escape_debug()
    )]
    BadName {
        /// The name.
        name: String,
        /// `graph` or `node`.
        what: &'static str,
    },
    /// A node reads a value that is not there.
    #[error("node `{node}` reads `{input}`, which no node before it is named; known are: {known}")]
    UnknownInput {
        /// The node's name.
        node: String,
        /// The name it reads.
        input: String,
        /// The names before it.
        known: String,
    },
    /// A node whose result nothing reads.
    #[error("nothing reads the output of node `{node}`; wire it onward or delete it")]
    Unused {
        /// The node's name.
        node: String,
    },
    /// A graph without nodes.
    #[error("graph `{graph}` has no layers; add at least one")]
    Empty {
        /// The graph's name.
        graph: String,
    },
    /// The text is not a network file.
    #[error("not a network file: {cause}")]
    Syntax {
        /// What the TOML reader said, with line and column.
        cause: String,
    },
    /// A layer of a network file is wrong.
    #[error("layer {number} of the network file{}: {cause}", name.as_ref().map(|n| format!(" (`{n}`)")).unwrap_or_default())]
    Layer {
        /// Which layer, counted from 1.
        number: usize,
        /// Its name, if it has one.
        name: Option<String>,
        /// What is wrong.
        cause: String,
    },
    /// The network cannot be given another number of classes.
    #[error(
        "graph `{graph}` answers with {output} and cannot be made to tell {classes} classes apart: that takes at least one class, \
         and a last linear layer behind which nothing changes the number of features"
    )]
    Classes {
        /// The graph's name.
        graph: String,
        /// What it answers with.
        output: Shape,
        /// The number of classes asked for.
        classes: usize,
    },
    /// No preset bears that name.
    #[error("there is no preset `{name}`; use one of {known}, or the path of a .toml file")]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// The presets.
        known: String,
    },
}
