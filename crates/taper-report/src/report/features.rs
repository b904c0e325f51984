//! A look into the network: its first filters, and what they and the layers after them make of an image.

use maud::html;

use super::words::image;
use super::{Report, Section};
use crate::maps::Maps;
use crate::picture::Picture;
use crate::plot::{Cell, Plot, grid};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let (filters, features) = (report.parts.filters.as_ref(), report.parts.features.as_ref());
    if filters.is_none() && features.is_none() {
        return None;
    }
    let body = html! {
        @if let Some(filters) = filters {
            h3 { "First filters" }
            p { (about_filters(filters)) }
            div.maps { (wide(&filters.signed_picture(), &about_filters(filters))) }
        }
        @if let Some((picture, stages)) = features {
            h3 { "An image on its way through the layers" }
            p {
                "What stages of the network make of this image: a map for each channel, brighter where it answers more strongly. \
                 Every map goes from black to its own strongest answer."
            }
            div.maps {
                (image(picture, "one", "The image that goes in"))
                @for maps in stages {
                    h3 { code { (maps.name()) } ": " (about(maps)) }
                    (wide(&maps.picture(), &format!("Feature maps of {}: {}", maps.name(), about(maps))))
                }
            }
        }
    };
    Some(Section { id: "inside", title: "Inside the network", body })
}

/// Small maps are drawn large, but not so large that one pixel fills the page.
fn wide(picture: &Picture, alt: &str) -> maud::Markup {
    let [width, _] = picture.size();
    let most = (width * 10).min(1100);
    html! { div style={ "max-width:" (most) "px" } { (image(picture, "", alt)) } }
}

pub(super) fn plots(report: &Report<'_>) -> Vec<Plot> {
    let mut plots = Vec::new();
    if let Some(filters) = &report.parts.filters {
        let about = about_filters(filters);
        plots.push(sheet("filters", "First filters", &about, filters.signed_picture()));
    }
    if let Some((_, stages)) = &report.parts.features {
        for (number, maps) in stages.iter().enumerate() {
            let (name, title) =
                (format!("features-{}", number + 1), format!("Feature maps of {}", maps.name()));
            let about = format!("{title}: {}.", about(maps));
            plots.push(sheet(&name, &title, &about, maps.picture()));
        }
    }
    plots
}

/// One wide picture.
fn sheet(name: &str, title: &str, description: &str, picture: Picture) -> Plot {
    let [width, _] = picture.size();
    let side = (width as f32 * (700.0 / width as f32).floor().max(1.0)).min(1100.0);
    grid([name, title], description, 1, side, vec![Cell { picture, lines: Vec::new(), good: None }])
}

fn about(maps: &Maps) -> String {
    let [_, height, width] = maps.shape();
    format!("{} maps of {height}×{width}", shown(maps))
}

fn about_filters(filters: &Maps) -> String {
    let [_, height, width] = filters.shape();
    let (which, name) = (shown(filters), filters.name());
    match filters.channels() {
        1 => format!("{which} filters of {height}×{width} weights in {name}: red adds, blue takes away."),
        _ if filters.in_colour() => format!(
            "{which} filters of 3×{height}×{width} weights in {name}, in colour: what is brighter than grey adds, what is darker \
             takes away."
        ),
        channels => format!(
            "{which} maps of {height}×{width} weights in {name}, {channels} in turn for each filter, one for each input channel: \
             red adds, blue takes away."
        ),
    }
}

/// How many there are, or how many of them are shown.
fn shown(maps: &Maps) -> String {
    match maps.shown() {
        [shown, all] if shown < all => format!("{shown} of {all}"),
        [_, all] => all.to_string(),
    }
}
