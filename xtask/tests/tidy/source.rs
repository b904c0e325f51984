//! What a Rust source file holds, line by line.

/// Is the file part of an integration test? Those need no opening comment.
pub(crate) fn is_part_of_tests(path: &str) -> bool {
    path.split('/').any(|folder| folder == "tests")
}

/// Does the file open with a `//!` comment, attributes of the whole file apart?
pub(crate) fn opens_with_a_doc_comment(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("#!["));
    lines.next().is_some_and(|line| line.starts_with("//!") && line.len() > 10)
}

/// The lines that call a macro which marks unfinished code or prints for debugging, with the macro's name.
pub(crate) fn unfinished(text: &str) -> Vec<(usize, &'static str)> {
    let words = ["todo", "unimplemented", "dbg"];
    let calls = |code: &str, word: &str| {
        words_of(code).any(|(at, found)| found == word && code[at + word.len()..].starts_with('!'))
    };
    code_lines(text)
        .flat_map(|(line, code)| {
            words.into_iter().filter(move |word| calls(code, word)).map(move |word| (line, word))
        })
        .collect()
}

/// The lines with unsafe code, or with an attribute that permits it: the compiler trusts the author there.
pub(crate) fn lines_of_trust(text: &str) -> Vec<usize> {
    let is_unsafe = |word: &str| word == concat!("un", "safe") || word == concat!("un", "safe_code");
    code_lines(text)
        .filter(|(_, code)| words_of(code).any(|(_, word)| is_unsafe(word)))
        .map(|(line, _)| line)
        .collect()
}

/// Each line with its number from 1, cut at the first `//`.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

/// The identifiers and keywords of a line, and where they start.
fn words_of(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !is_part(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

#[test]
fn an_opening_comment_is_seen_behind_attributes_only() {
    assert!(opens_with_a_doc_comment("//! What this file is about.\nfn f() {}\n"));
    assert!(opens_with_a_doc_comment("#![allow(missing_docs)]\n\n//! What this file is about.\n"));
    for text in
        ["", "fn f() {}\n", "use std::fs;\n//! Too late to be one.\n", "// A plain comment.\n", "//!\n"]
    {
        assert!(!opens_with_a_doc_comment(text), "{text}");
    }
}

#[test]
fn unfinished_code_is_found_outside_comments() {
    let call = |word: &str| format!("    {word}!(\"later\") // why\n");
    let text = ["todo", "methodo", "unimplemented", "dbg"].map(call).concat();
    assert_eq!(unfinished(&text), [(1, "todo"), (3, "unimplemented"), (4, "dbg")]);
    assert_eq!(unfinished("// todo!() is not allowed\nlet todo = 1; dbg(todo)\n"), []);
}

#[test]
fn code_that_needs_trust_is_found() {
    let word = concat!("un", "safe");
    let text = format!(
        "#![allow({word}_code)]\n{word} {{ f() }}\n// {word}\nlet {word}ty = 1;\n{word} fn g() {{}}\n"
    );
    assert_eq!(lines_of_trust(&text), [1, 2, 5]);
}
