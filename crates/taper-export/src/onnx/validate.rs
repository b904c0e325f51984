//! Is a file valid? Every name, type, shape and version of it is checked.

use std::collections::BTreeSet;

use super::error::BuildError;
use super::fact::{Fact, shape};
use super::model::OpsetVersion;
use super::proto::{GraphProto, ModelProto, ValueInfoProto};
use super::scope::{Scope, title};

/// The oldest version of the file format that states an operator set. A file should have the one that came with its
/// operator set, but PyTorch 1.7 and others write older ones, and every runtime takes them.
const OLDEST_FORMAT: i64 = 3;
/// The newest version of the file format.
const NEWEST_FORMAT: i64 = 13;

/// Checks a whole file: versions, names, order of the nodes, operators, their settings and inputs, data of constants,
/// and that inputs, outputs and values in between are what they are declared to be.
///
/// Shapes are followed through the graph with named sizes as unknowns; what cannot be decided without running
/// the graph is let pass. [`GraphBuilder::finish`](super::GraphBuilder::finish) calls it, so that Taper never writes
/// what it would refuse.
///
/// # Errors
/// [`BuildError`] naming the first node or value at fault.
///
/// ```
/// use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, validate};
/// let mut graph = GraphBuilder::new("relu", OpsetVersion::default());
/// let x = graph.input("x", DataType::Float32, &[Dim::Symbolic("N".to_owned()), Dim::Fixed(3)])?;
/// let y = graph.node(Node::new("Relu", "relu").input(&x))?;
/// graph.output(&y, "y")?;
/// let mut model = graph.finish([])?.proto().clone();
/// validate(&model)?;
/// model.graph.as_mut().unwrap().node[0].op_type = "Rleu".to_owned();
/// assert!(validate(&model).unwrap_err().to_string().contains("`Rleu`"));
/// # Ok::<(), taper_export::onnx::BuildError>(())
/// ```
pub fn validate(model: &ModelProto) -> Result<(), BuildError> {
    let graph = model.graph.as_ref().ok_or(BuildError::NoGraph)?;
    let is_standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    let set = model.opset_import.iter().find(|set| is_standard(&set.domain));
    let opset = set.map_or(0, |set| set.version);
    OpsetVersion::new(opset)?;
    if !(OLDEST_FORMAT..=NEWEST_FORMAT).contains(&model.ir_version) {
        return Err(BuildError::IrVersion { ir: model.ir_version, opset, least: OLDEST_FORMAT });
    }
    let mut scope = Scope::new(&graph.name, opset);
    if graph.name.is_empty() {
        return Err(BuildError::NoName { graph: String::new(), what: "the name".to_owned() });
    }
    check_values(&mut scope, graph)?;
    check_nodes(&mut scope, graph)?;
    if graph.output.is_empty() {
        return Err(BuildError::NoOutput { graph: graph.name.clone() });
    }
    check_outputs(&scope, graph)
}

fn check_values(scope: &mut Scope, graph: &GraphProto) -> Result<(), BuildError> {
    for tensor in &graph.initializer {
        scope.add_constant(tensor)?;
    }
    let constants: BTreeSet<&String> = graph.initializer.iter().map(|tensor| &tensor.name).collect();
    for input in &graph.input {
        let name = &input.name;
        let declared = Fact::of_declaration(input).ok_or_else(|| {
            let declared = "a value of unknown type or shape".to_owned();
            let (graph, name) = (graph.name.clone(), name.clone());
            BuildError::Declared { graph, name, declared, found: "to be a tensor".to_owned() }
        })?;
        // Before format version 4, constants were listed as inputs too.
        match scope.fact(name).filter(|_| constants.contains(name)) {
            Some(fact) => check_declared(graph, name, &declared, fact)?,
            None => scope.add(name, declared)?,
        }
    }
    Ok(())
}

fn check_nodes(scope: &mut Scope, graph: &GraphProto) -> Result<(), BuildError> {
    let made: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.output).collect();
    for node in &graph.node {
        let later = node.input.iter().find(|name| scope.fact(name).is_none() && made.contains(name));
        if let Some(value) = later {
            let (graph, value) = (graph.name.clone(), value.clone());
            return Err(BuildError::Unsorted { graph, node: title(node), value });
        }
        scope.add_node(node)?;
    }
    Ok(())
}

fn check_outputs(scope: &Scope, graph: &GraphProto) -> Result<(), BuildError> {
    let mut names = BTreeSet::new();
    for output in graph.output.iter().chain(&graph.value_info) {
        let (name, of) = (output.name.clone(), graph.name.clone());
        let Some(fact) = scope.fact(&name) else {
            return Err(BuildError::UnknownValue { graph: of, node: name.clone(), value: name });
        };
        if !names.insert(&output.name) {
            return Err(BuildError::DuplicateName { graph: of, name });
        }
        check_one(graph, output, fact)?;
    }
    Ok(())
}

fn check_one(graph: &GraphProto, output: &ValueInfoProto, fact: &Fact) -> Result<(), BuildError> {
    match Fact::of_declaration(output) {
        Some(declared) => check_declared(graph, &output.name, &declared, fact),
        None => Ok(()),
    }
}

fn check_declared(graph: &GraphProto, name: &str, declared: &Fact, found: &Fact) -> Result<(), BuildError> {
    let is_other = declared.data_type != found.data_type
        || declared.rank() != found.rank()
        || declared.sizes.iter().zip(&found.sizes).any(|(declared, found)| declared.differs(found));
    if !is_other {
        return Ok(());
    }
    let text = |fact: &Fact| format!("{} {}", fact.data_type, shape(&fact.sizes));
    Err(BuildError::Declared {
        graph: graph.name.clone(),
        name: name.to_owned(),
        declared: text(declared),
        found: text(found),
    })
}
