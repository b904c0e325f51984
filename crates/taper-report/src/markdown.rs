//! The little Markdown that a card is written in.

/// Whether a character can stand in a line of Markdown, YAML and XML: none that controls, ends the line, or is no character.
pub(crate) fn is_written(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'))
}

/// `text` as it stands, on one line: nothing in it is read as Markdown or HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' => escaped.extend(['\\', c]),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            c if !is_written(c) => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// `text` as code, on one line; a backtick in it would end the code, so it becomes an apostrophe.
pub(crate) fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c == '`' {
                '\''
            } else if !is_written(c) {
                ' '
            } else {
                c
            }
        })
        .collect();
    format!("`{plain}`")
}

/// A bar would end the cell, even in code.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A table whose columns all lean right but the first. Cells are Markdown already.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        format!("| {} |\n", cells.map(cell).collect::<Vec<_>>().join(" | "))
    };
    let mut text = line(&mut header.iter().copied());
    text += &format!("| :--- |{}\n", " ---: |".repeat(header.len().saturating_sub(1)));
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// A table of settings and values.
pub(crate) fn facts<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = String::from("| | |\n| :--- | :--- |\n");
    for (what, value) in rows {
        text += &format!("| {} | {} |\n", cell(what), cell(&value));
    }
    text
}

/// 0.99123 as `99.12 %`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// 1234567 as `1,234,567`.
pub(crate) fn count(number: usize) -> String {
    taper_graph::thousands(number as u64)
}
