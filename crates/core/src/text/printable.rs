//! Makes foreign text safe for a terminal: no byte of it can move the cursor, hide text, change its
//! direction, or begin a line.
//!
//! Servers, manifests, file names and `_id`s may contain anything. So every line passes through
//! here just before it is written, and invisible characters are escaped as in JSON: `\n`, `\u001b`.
//! This does not change JSON texts either, since such characters only occur inside their strings.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_general_category::{GeneralCategory, get_general_category};

/// One line: `text` with every character escaped that would not show as itself.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if is_unseen(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
    Cow::Owned(line)
}

/// Control characters, characters without width or that change the direction of text, and other
/// line separators.
fn is_unseen(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    let category = |c| get_general_category(c);
    match c {
        ' '..='~' => false,
        c => matches!(
            category(c),
            Control | Format | LineSeparator | ParagraphSeparator
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_invisible_characters_are_escaped() {
        for (text, line) in [
            ("a `file` \\n größe 订单", "a `file` \\n größe 订单"),
            ("a\nerror: b\r\thint", "a\\nerror: b\\r\\thint"),
            (
                "\u{1b}[2J\u{9b}2J\u{7f}\0",
                "\\u001b[2J\\u009b2J\\u007f\\u0000",
            ),
            ("\u{202e}txt\u{2066}\u{feff}", "\\u202etxt\\u2066\\ufeff"),
            ("a\u{2028}b\u{2029}\u{85}", "a\\u2028b\\u2029\\u0085"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(printable(text), line);
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_line_and_json_keeps_its_meaning(text in ".*|[\\s\\S]*") {
            let json = serde_json::json!({ &text: [&text] });
            let printed = printable(&json.to_string()).into_owned();
            let line = printable(&text);
            prop_assert!(!printed.contains(char::is_control) && !line.contains(char::is_control));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), json);
        }
    }
}
