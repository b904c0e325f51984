//! Links between the Markdown files of the repository.

/// A link in a Markdown file to another place of the repository.
pub(crate) struct Link<'a> {
    /// The line it is on, from 1.
    pub(crate) line: usize,
    /// The path as it is written, empty for a place in the same file.
    pub(crate) path: &'a str,
    /// The heading it goes to, as GitHub names it.
    pub(crate) heading: Option<&'a str>,
}

/// The links of `text` that lead to files, outside of code.
pub(crate) fn links(text: &str) -> Vec<Link<'_>> {
    let mut found = Vec::new();
    for (index, line) in prose(text) {
        for part in line.split("](").skip(1) {
            let Some((target, _)) = part.split_once(')') else { continue };
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = match target.split_once('#') {
                Some((path, heading)) => (path, Some(heading)),
                None => (target, None),
            };
            found.push(Link { line: index + 1, path, heading });
        }
    }
    found
}

/// The headings of `text` by the names that links give them on GitHub: lower case, hyphens for spaces, no punctuation.
pub(crate) fn headings(text: &str) -> Vec<String> {
    let titles = prose(text).filter(|(_, line)| line.starts_with('#'));
    titles
        .map(|(_, line)| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The place in the repository that a link in the file `from` to `path` leads to.
pub(crate) fn resolve(from: &str, path: &str) -> String {
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(folders.pop()),
            part => folders.push(part),
        }
    }
    folders.join("/")
}

/// The lines that are no code, with their places.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}
