//! The changelog of one tool: the lines about it, and those that name no tool and so are about all.

use crate::binaries::TOOLS;

/// The part of `changelog` that concerns the users of `tool`.
pub(super) fn of(tool: &str, changelog: &str) -> String {
    let mut kept = String::new();
    let mut is_kept = true;
    for line in changelog.split_inclusive('\n') {
        if line.starts_with(char::is_whitespace) && !line.trim().is_empty() {
            // Goes on with the entry above.
        } else {
            is_kept = !line.starts_with("* ");
        }
        if line.starts_with("* ") {
            is_kept = concerns(tool, line);
        }
        if is_kept {
            kept += line;
        }
    }
    kept
}

fn concerns(tool: &str, line: &str) -> bool {
    let mut named = TOOLS.iter().filter(|tool| line.contains(**tool)).peekable();
    named.peek().is_none() || named.any(|named| *named == tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_about_another_tool_is_left_out_with_all_its_lines() {
        let all =
            "# Changelog\n\n## 0.1.0\n\n* All tools.\n* `lob-import`\n  only.\n* `lob-upload`.\n";
        let upload = "# Changelog\n\n## 0.1.0\n\n* All tools.\n* `lob-upload`.\n";
        assert_eq!(of("lob-upload", all), upload);
    }
}
