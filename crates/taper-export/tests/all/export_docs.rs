//! `docs/export.md`, which is written from the operator table and from what the cases become.

use std::fmt::Write;
use std::path::Path;

use candle_core::{DType, Result};
use candle_nn::VarBuilder;
use taper_export::flow::Model;
use taper_export::onnx::{DataType, Feature, OnnxModel, OpsetVersion, Options, Profile, lower, operators};
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Dropout, Graph, Linear, MaxPool2d, Normalize, Op};

use crate::flow::cases::{self, Visit};
use crate::flow::check::{Sample, setup};
use crate::reference;

/// With this environment variable, the file is written instead of compared.
const WRITE: &str = "TAPER_WRITE_DOCS";

const HEAD: &str = "\
# What becomes what in ONNX

Written by `TAPER_WRITE_DOCS=1 cargo test --workspace --test all export_docs`, which without the variable tells whether
it is current. The nodes are those of operator set 17; others are what newer or older sets make of it.
";

/// The operators of a file in their order, one of several alike once, with their number.
fn ops(file: &OnnxModel) -> String {
    crate::written::keep(file);
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for node in &file.proto().graph.as_ref().unwrap().node {
        match counted.iter_mut().find(|(op, _)| *op == node.op_type) {
            Some((_, count)) => *count += 1,
            None => counted.push((&node.op_type, 1)),
        }
    }
    let text = |&(op, count): &(&str, usize)| if count > 1 { format!("{count} {op}") } else { op.to_owned() };
    let texts: Vec<String> = counted.iter().map(text).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
}

struct Nodes;

impl Visit for Nodes {
    /// In operator sets 17, 12 and 22.
    type Made = [String; 3];
    fn visit<M: Model>(
        &self,
        name: &str,
        make: impl Fn(VarBuilder<'static>) -> Result<M>,
        samples: &[Sample],
    ) -> std::result::Result<Self::Made, String> {
        let setup = setup(name, DType::F32, make, samples)?;
        let nodes = |opset| {
            let file = setup.export.clone().opset(OpsetVersion::new(opset).unwrap()).record(&setup.model);
            file.map(|file| ops(&file)).unwrap_or_else(|_| "refused".to_owned())
        };
        Ok([17, 12, 22].map(nodes))
    }
}

fn operator_table(text: &mut String) {
    writeln!(
        text,
        "\n## The operators\n\nWhat the graph builder and the validation know, and nothing else.\n"
    )
    .unwrap();
    writeln!(
        text,
        "| operator | changed in | types of the first input, in 17 | settings |\n| --- | --- | --- | --- |"
    )
    .unwrap();
    let kinds = [
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Int8,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::Bool,
    ];
    let mut all: Vec<_> = operators().collect();
    all.sort_by_key(|op| op.name());
    for op in all {
        let versions: Vec<String> = op.versions().iter().map(i64::to_string).collect();
        let taken: Vec<String> =
            kinds.iter().filter(|&&kind| op.takes(kind, 17)).map(DataType::to_string).collect();
        let taken = if taken.len() == kinds.len() { "any".to_owned() } else { taken.join(", ") };
        let settings: Vec<String> = op.attributes().map(|name| format!("`{name}`")).collect();
        writeln!(text, "| {} | {} | {taken} | {} |", op.name(), versions.join(", "), settings.join(", "))
            .unwrap();
    }
}

/// What the runtimes of each profile take.
fn profile_table(text: &mut String) {
    let features: Vec<String> = Feature::ALL.iter().map(Feature::to_string).collect();
    writeln!(
        text,
        "\n## Profiles\n\n`--profile` of `taper export`, and `Options::profile`. Each refuses what is not `yes`; \
         without a profile a file is portable,\nor for `onnxruntime` if that takes something that `portable` lacks.\n"
    )
    .unwrap();
    writeln!(text, "| profile | runtimes | operator sets | {} | operators |", features.join(" | ")).unwrap();
    writeln!(text, "|{}", " --- |".repeat(features.len() + 4)).unwrap();
    for profile in Profile::ALL {
        let [oldest, newest] = profile.opsets();
        let sets = if oldest == newest { oldest.to_string() } else { format!("{oldest} to {newest}") };
        let cells: Vec<&str> = Feature::ALL
            .iter()
            .map(|&feature| if profile.lacks(feature).is_some() { "no" } else { "yes" })
            .collect();
        let ops = profile.knows().map_or("all".to_owned(), |ops| format!("{} of them", ops.len()));
        let known = if profile.is_tried() { "" } else { ", not tried" };
        writeln!(
            text,
            "| `{profile}` | {}{known} | {sets} | {} | {ops} |",
            profile.about(),
            cells.join(" | ")
        )
        .unwrap();
    }
    writeln!(text, "\nWhy not:\n").unwrap();
    for profile in Profile::ALL {
        for feature in Feature::ALL {
            if let Some(reason) = profile.lacks(feature) {
                writeln!(text, "- `{profile}`, {feature}: {reason}.").unwrap();
            }
        }
        if let Some(ops) = profile.knows() {
            writeln!(text, "- `{profile}` knows {}.", ops.join(", ")).unwrap();
        }
    }
}

/// Every op of a Taper graph, on an image.
fn graph_ops() -> Vec<(&'static str, Vec<Op>)> {
    let image = |op: Op| vec![op];
    vec![
        ("conv2d", image(Op::Conv2d(Conv2d::new(4, 3)))),
        (
            "conv2d, batch_norm2d",
            vec![Op::Conv2d(Conv2d::new(4, 3)), Op::BatchNorm2d(BatchNorm2d::default())],
        ),
        ("batch_norm2d", image(Op::BatchNorm2d(BatchNorm2d::default()))),
        ("normalize", image(Op::Normalize(Normalize { mean: vec![0.5; 2], std: vec![0.25; 2] }))),
        ("max_pool2d", image(Op::MaxPool2d(MaxPool2d::new(2)))),
        ("avg_pool2d", image(Op::AvgPool2d(AvgPool2d::new(2)))),
        ("global_avg_pool", image(Op::GlobalAvgPool)),
        ("flatten", image(Op::Flatten)),
        ("flatten, linear", vec![Op::Flatten, Op::Linear(Linear::new(3))]),
        ("relu", image(Op::Relu)),
        ("gelu", image(Op::Gelu)),
        ("silu", image(Op::Silu)),
        ("tanh", image(Op::Tanh)),
        ("sigmoid", image(Op::Sigmoid)),
        ("softmax", image(Op::Softmax)),
        ("relu, dropout", vec![Op::Relu, Op::Dropout(Dropout { p: 0.5 })]),
    ]
}

/// `conv2d` of dynamic size: what a case is about, of which the method has to be in its code.
fn title(name: &str, code: &str) -> String {
    let (method, about) = name.split_once("__").unwrap_or((name, ""));
    let (path, method) = match method.split_once('_') {
        Some(("nn", method)) => ("candle_nn::", method),
        Some(("ops", method)) => ("ops::", method),
        _ => ("", method),
    };
    assert!(code.contains(method), "{name}: {code}");
    format!("`{path}{method}` {}", about.replace('_', " ")).trim_end().to_owned()
}

fn text() -> String {
    let mut text = HEAD.to_owned();
    writeln!(text, "\n## Models written in candle").unwrap();
    for (family, outcomes) in cases::visit(&Nodes) {
        writeln!(text, "\n### {family}\n\n| candle | nodes | others |\n| --- | --- | --- |").unwrap();
        for case in outcomes {
            let [nodes, oldest, newest] =
                case.result.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let code = case.code.split_whitespace().collect::<Vec<_>>().join(" ");
            let code = match code.strip_prefix("{ ").and_then(|code| code.strip_suffix(" }")) {
                Some(alone) if !alone.contains(';') => alone.to_owned(),
                _ => code,
            };
            let title = match code.len() {
                0..60 => format!("`{}`", code.replace('|', "\\|")),
                _ => title(case.name, &code),
            };
            let others: Vec<String> = [(12, oldest), (22, newest)]
                .into_iter()
                .filter(|(_, found)| *found != nodes)
                .map(|(opset, found)| format!("{opset}: {found}"))
                .collect();
            writeln!(text, "| {title} | {nodes} | {} |", others.join("; ")).unwrap();
        }
    }
    writeln!(text, "\n## Taper graphs\n\n| ops | nodes |\n| --- | --- |").unwrap();
    for (name, ops_of) in graph_ops() {
        let graph = Graph::sequential("docs", &[2, 6, 6], ops_of).unwrap();
        let file = lower(&graph, &reference::weights(&graph, 1), &Options::default()).unwrap();
        writeln!(text, "| {name} | {} |", ops(&file)).unwrap();
    }
    profile_table(&mut text);
    operator_table(&mut text);
    text
}

#[test]
fn is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/export.md");
    let text = text();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = found.lines().zip(text.lines()).position(|(found, wanted)| found != wanted);
    assert!(
        found == text,
        "docs/export.md is not current from line {:?} on; set {WRITE}=1 to write it",
        line.map(|line| line + 1)
    );
}
