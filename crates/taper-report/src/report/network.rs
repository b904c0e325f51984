//! The network, drawn and as a table.

use std::iter;

use maud::{PreEscaped, html};
use taper_graph::Node;

use super::words::{Table, count};
use super::{Report, Section};
use crate::plot::{Plot, diagram};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let graph = report.graph;
    let number = |number: u64| if number == 0 { String::new() } else { count(number) };
    let row = |node: &Node| {
        let own = node.params.iter().filter(|param| param.trainable).map(|param| param.elements());
        let own = number(own.sum::<usize>() as u64);
        vec![node.name.clone(), node.shape.to_string(), own, number(node.macs)]
    };
    let input = vec!["input".to_owned(), graph.input_shape().to_string(), String::new(), String::new()];
    let all = [count(graph.parameter_count() as u64), count(graph.macs())];
    let table = Table {
        head: vec!["Layer", "Output", "Parameters", "Multiply-adds"],
        rows: iter::once(input).chain(graph.nodes().iter().map(row)).collect(),
        foot: Some(["all".to_owned(), String::new()].into_iter().chain(all).collect()),
        ..Table::default()
    };
    let body = html! {
        div.pair {
            figure { (PreEscaped(plot(report).inline_svg())) }
            (table)
        }
    };
    Some(Section { id: "network", title: "Network", body })
}

pub(super) fn plot(report: &Report<'_>) -> Plot {
    diagram(report.graph)
}
