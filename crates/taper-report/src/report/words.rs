//! Numbers in words, and small pieces of the page.

use maud::{Markup, PreEscaped, Render, html};
pub(super) use taper_graph::thousands as count;

pub(super) use crate::markdown::percent;
use crate::picture::Picture;
use crate::plot::Plot;

/// A probability with as many digits as tell it from 0 and 1.
pub(super) fn probability(value: f64) -> String {
    let percent = 100.0 * value;
    match percent {
        p if p < 100.0 && p > 99.99 => "> 99.99 %".to_owned(),
        p if p > 0.0 && p < 0.01 => "< 0.01 %".to_owned(),
        p if !(1.0..=99.0).contains(&p) => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

/// A table of facts, its first column being headers.
pub(super) fn facts(rows: &[(String, String)]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.facts {
                @for (name, value) in rows {
                    tr { th scope="row" { (name) } td { (value) } }
                }
            }
        }
    }
}

/// A table, scrolled where it is wider than its place. The first cell of each row is its header.
#[derive(Default)]
pub(super) struct Table<'a> {
    /// How the style calls it, if it does.
    pub(super) class: Option<&'a str>,
    pub(super) caption: Option<&'a str>,
    /// The headers of the columns; an empty one is none.
    pub(super) head: Vec<&'a str>,
    pub(super) rows: Vec<Vec<String>>,
    /// A row that sums up the others.
    pub(super) foot: Option<Vec<String>>,
}

impl Render for Table<'_> {
    fn render(&self) -> Markup {
        html! {
            div.scroll tabindex="0" {
                table class=[self.class] {
                    @if let Some(caption) = self.caption { caption { (caption) } }
                    thead {
                        tr {
                            @for name in &self.head {
                                @if name.is_empty() { td {} } @else { th scope="col" { (name) } }
                            }
                        }
                    }
                    tbody { @for cells in &self.rows { (row(cells)) } }
                    @if let Some(cells) = &self.foot { tfoot { (row(cells)) } }
                }
            }
        }
    }
}

fn row(cells: &[String]) -> Markup {
    html! {
        tr {
            @for (place, cell) in cells.iter().enumerate() {
                @if place == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
            }
        }
    }
}

/// A plot in the page.
pub(super) fn figure(plot: &Plot) -> Markup {
    html! { figure { (PreEscaped(plot.inline_svg())) figcaption { (plot.description()) } } }
}

/// A picture in the page, with hard pixels.
pub(super) fn image(picture: &Picture, class: &str, alt: &str) -> Markup {
    let [width, height] = picture.size();
    html! { img class=(class) src=(picture.data_uri()) width=(width) height=(height) alt=(alt); }
}
