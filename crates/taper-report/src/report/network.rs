//! The network, drawn and as a table.

use maud::{PreEscaped, html};

use super::words::count;
use super::{Report, Section};
use crate::plot::{Plot, diagram};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let graph = report.graph;
    let number = |number: u64| if number == 0 { String::new() } else { count(number) };
    let body = html! {
        div.pair {
            figure { (PreEscaped(plot(report).inline_svg())) }
            div.scroll tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Layer" }
                            th scope="col" { "Output" }
                            th scope="col" { "Parameters" }
                            th scope="col" { "Multiply-adds" }
                        }
                    }
                    tbody {
                        tr { th scope="row" { "input" } td { (graph.input_shape()) } td { "" } td { "" } }
                        @for node in graph.nodes() {
                            @let own = node.params.iter().filter(|param| param.trainable).map(|param| param.elements());
                            tr {
                                th scope="row" { (node.name) }
                                td { (node.shape) }
                                td { (number(own.sum::<usize>() as u64)) }
                                td { (number(node.macs)) }
                            }
                        }
                    }
                    tfoot {
                        tr {
                            th scope="row" { "all" }
                            td { "" }
                            td { (count(graph.parameter_count() as u64)) }
                            td { (count(graph.macs())) }
                        }
                    }
                }
            }
        }
    };
    Some(Section { id: "network", title: "Network", body })
}

pub(super) fn plot(report: &Report<'_>) -> Plot {
    diagram(report.graph)
}
