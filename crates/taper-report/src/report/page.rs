//! The page around the sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, Section};

/// The looks, for light, dark, phones and paper.
const STYLE: &str = include_str!("page.css");

/// What the page may load: nothing but the pictures and the style within it.
const POLICY: &str = include_str!("page.policy").trim_ascii();

pub(super) fn render(report: &Report<'_>, headline: Markup, sections: &[Section]) -> String {
    let title = format!("{} on {}", report.graph.name(), report.data.spoken_name());
    let header = html! {
        header {
            h1 { (title) }
            (headline)
            nav aria-label="Sections" {
                @for section in sections { a href={ "#" (section.id) } { (section.title) } }
            }
        }
    };
    let sections = html! {
        @for section in sections {
            section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                h2 id={ (section.id) "-title" } { (section.title) }
                (section.body)
            }
        }
    };
    shell(&format!("{title} · report"), html! { (header) (sections) })
}

/// A whole page, for light, dark, phones and paper, that loads nothing.
pub(super) fn shell(title: &str, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    page.into_string() + "\n"
}
