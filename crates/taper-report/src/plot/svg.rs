//! A plot as SVG.

use std::fmt::Write as _;

use super::Plot;
use super::items::{Anchor, Item};
use super::palette::{PAPER, Paint};
use crate::markdown::is_written;

/// Where the SVG will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Alone in a file.
    File,
    /// In a page, whose colours it takes.
    Page,
}

pub(super) fn write(plot: &Plot, place: Place) -> String {
    let [width, height] = plot.size;
    let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\"");
    // Writing to a string cannot fail.
    let _ = match place {
        Place::File => write!(svg, " width=\"{width}\" height=\"{height}\""),
        // A page has more room than a phone, for which plots are drawn.
        Place::Page => write!(svg, " class=\"plot\" style=\"max-width:{}px\"", 1.2 * width),
    };
    let (title, description) = (escape(&plot.title), escape(&plot.description));
    let _ = write!(
        svg,
        " viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\" font-family=\"Roboto, system-ui, \
         sans-serif\"><title>{title}</title><desc>{description}</desc>"
    );
    if place == Place::File {
        let _ = write!(svg, "<rect width=\"100%\" height=\"100%\" fill=\"{}\"/>", hex(PAPER));
    }
    plot.items.iter().for_each(|item| draw(&mut svg, item, place));
    svg + "</svg>\n"
}

fn draw(svg: &mut String, item: &Item, place: Place) {
    let _ = match item {
        Item::Line { points, width, dash, paint } => {
            let (color, points) = (color("stroke", *paint, place), list(points));
            let dash = match dash {
                [] => String::new(),
                dash => {
                    format!(" stroke-dasharray=\"{}\"", dash.iter().map(number).collect::<Vec<_>>().join(" "))
                }
            };
            write!(
                svg,
                "<polyline fill=\"none\" {color} stroke-width=\"{width}\"{dash} stroke-linejoin=\"round\" \
                 points=\"{points}\"/>"
            )
        }
        Item::Polygon { points, paint } => {
            write!(svg, "<polygon {} points=\"{}\"/>", color("fill", *paint, place), list(points))
        }
        Item::Rect { at: [x, y], size: [width, height], outline, paint } => {
            let color = match outline {
                None => color("fill", *paint, place),
                Some(line) => {
                    format!("fill=\"none\" {} stroke-width=\"{line}\"", color("stroke", *paint, place))
                }
            };
            let [x, y, width, height] = [x, y, width, height].map(number);
            write!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {color}/>")
        }
        Item::Circle { at: [x, y], radius, paint } => {
            let ([x, y], color) = ([x, y].map(number), color("fill", *paint, place));
            write!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {color}/>")
        }
        Item::Text { text, at: [x, y], size, anchor, turned, paint } => {
            let [x, y] = [x, y].map(number);
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let turn = if *turned { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
            let color = color("fill", *paint, place);
            let text = escape(text);
            write!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{anchor}{turn} {color}>{text}</text>")
        }
        Item::Picture { picture, at: [x, y], size: [width, height] } => {
            let [x, y, width, height] = [x, y, width, height].map(number);
            write!(
                svg,
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering:pixelated\" href=\"{}\"/>",
                picture.data_uri()
            )
        }
    };
}

/// `fill` or `stroke`, with how opaque it is.
fn color(attribute: &str, paint: Paint, place: Place) -> String {
    let color = match (place, paint.name()) {
        (Place::Page, Some(name)) => format!("var(--plot-{name})"),
        _ => hex(paint),
    };
    match paint.alpha {
        1.0 => format!("{attribute}=\"{color}\""),
        alpha => format!("{attribute}=\"{color}\" {attribute}-opacity=\"{alpha:.3}\""),
    }
}

fn hex(paint: Paint) -> String {
    let [r, g, b] = paint.rgb;
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A tenth of a pixel is fine enough.
fn number(value: &f32) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn list(points: &[[f32; 2]]) -> String {
    let points = points.iter().map(|[x, y]| format!("{},{}", number(x), number(y)));
    points.collect::<Vec<_>>().join(" ")
}

/// `text` with nothing in it that XML reads as its own; what XML cannot hold becomes a space.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if !is_written(c) => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
