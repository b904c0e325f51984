//! Text in the columns of a terminal, where a letter of some scripts takes two and others none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a line may have: what the narrowest terminals of today show.
pub(super) const LINE: usize = 80;

/// The columns that `text` takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// `text` on one line of at most `columns`, which has to be 1 or more: what is cut off leaves `…`.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let text = text.replace(['\n', '\t'], " ");
    if width(&text) <= columns {
        return text;
    }
    let mut end = 0;
    let mut taken = 0;
    for (start, letter) in text.char_indices() {
        taken += letter.width().unwrap_or(1);
        if taken > columns - 1 {
            break;
        }
        end = start + letter.len_utf8();
    }
    format!("{}…", &text[..end])
}

/// `text` with the blanks after it that fill `columns`.
pub(super) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` in lines of at most `columns`, broken between words; a longer word, such as a path, has a line to itself.
pub(super) fn lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_by_the_columns_they_take() {
        for (text, columns, expected) in [
            ("Ankle boot", 10, "Ankle boot"),
            ("Ankle boots", 10, "Ankle boo…"),
            ("おきす", 6, "おきす"),
            ("おきす", 5, "おき…"),
            ("おきす", 4, "お…"),
            ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
            ("two\nlines", 9, "two lines"),
            ("xy", 1, "…"),
        ] {
            let cut = cut(text, columns);
            assert_eq!(cut, expected);
            assert!(width(&cut) <= columns, "{cut}");
            assert_eq!(width(&padded(&cut, 12)), 12, "{cut}");
        }
    }

    #[test]
    fn a_text_is_broken_between_words() {
        assert_eq!(lines("one two three  four", 7), ["one two", "three", "four"]);
        assert_eq!(lines("/a/long/path is there", 8), ["/a/long/path", "is there"]);
        assert!(lines("", 8).is_empty());
    }
}
