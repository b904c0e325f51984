//! What the pages in `docs/` show is true.

use std::fs;
use std::path::Path;

use taper::graph::{Conv2d, Graph, Linear, Op};

use crate::program::succeed;

/// A page, from the root of the repository.
fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The blocks of code in that language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_step_of_the_tutorial_has_an_example_and_a_picture() {
    let text = page("docs/tutorial.md");
    let steps: Vec<&str> = text.split("\n## ").skip(1).collect();
    // The last one only sums up.
    let (_, steps) = steps.split_last().unwrap();
    let lacks = |step: &&&str| blocks(step, "rust").is_empty() || !step.contains("](pictures/");
    let lacking: Vec<&str> = steps.iter().filter(lacks).map(|step| step.lines().next().unwrap()).collect();
    assert!(steps.len() >= 9 && lacking.is_empty(), "{lacking:?}");
}

#[test]
fn the_network_file_is_the_network_that_the_page_builds_in_rust() {
    let text = page("docs/networks.md");
    let graph = Graph::from_toml(blocks(&text, "toml")[0]).unwrap();
    // What the page's example in Rust builds.
    let mut built = Graph::new("mine", &[1, 28, 28]).unwrap();
    let conv = || Op::Conv2d(Conv2d::new(8, 3).padding(1));
    let x = built.wire("conv", conv(), &[built.input()]).unwrap();
    let x = built.wire("relu", Op::Relu, &[x]).unwrap();
    let y = built.wire("again", conv(), &[x]).unwrap();
    let sum = built.wire("sum", Op::Add, &[x, y]).unwrap();
    let x = built.wire("pool", Op::GlobalAvgPool, &[sum]).unwrap();
    let x = built.wire("flatten", Op::Flatten, &[x]).unwrap();
    built.wire("fc", Op::Linear(Linear::new(10)), &[x]).unwrap();
    assert_eq!(graph, built);
    let rust = blocks(&text, "rust")[0];
    for node in built.nodes() {
        assert!(
            rust.contains(&format!("graph.wire(\"{}\"", node.name)),
            "{} is not in the example",
            node.name
        );
    }
}

#[test]
fn the_page_of_networks_lists_every_op() {
    let text = page("docs/networks.md");
    let table = text.split("## The layers").nth(1).unwrap();
    let unknown = "name = \"x\"\ninput = [1]\n[[layers]]\nop = \"x\"";
    let refusal = Graph::from_toml(unknown).unwrap_err().to_string();
    // The refusal lists all there are.
    let ops: Vec<&str> = refusal.split('`').skip(1).step_by(2).filter(|word| word.len() > 1).collect();
    assert!(ops.len() > 10, "{refusal}");
    let missing: Vec<&&str> = ops.iter().filter(|op| !table.contains(&format!("`{op}`"))).collect();
    assert!(missing.is_empty(), "docs/networks.md lacks {missing:?}");
}

#[test]
fn xtask_lists_every_word_of_the_program() {
    let help = succeed(Path::new("."), &["--help"]);
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    // What goes on with the line above is indented further.
    let lines =
        commands.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let words = lines.filter_map(|line| line.split_whitespace().next()).filter(|&word| word != "help");
    let listed = page("xtask/src/main.rs");
    let missing: Vec<&str> = words.filter(|word| !listed.contains(&format!("\n  {word} "))).collect();
    assert!(missing.is_empty(), "xtask/src/main.rs does not list {missing:?}");
}
