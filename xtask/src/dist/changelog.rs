//! The changelog of one tool: of each version, the sections about that tool and those about all.

use crate::binaries::TOOLS;

/// The part of `changelog` that concerns the users of `tool`.
pub(super) fn of(tool: &str, changelog: &str) -> String {
    let mut kept = String::new();
    let mut is_kept = true;
    for line in changelog.split_inclusive('\n') {
        if line.starts_with("### ") {
            is_kept = concerns(tool, line);
        } else if line.starts_with('#') {
            is_kept = true;
        }
        if is_kept {
            kept += line;
        }
    }
    kept.truncate(kept.trim_end().len());
    kept + "\n"
}

/// Whether a section is about `tool`: its heading names it, or no tool at all.
fn concerns(tool: &str, heading: &str) -> bool {
    let mut named = TOOLS.iter().filter(|tool| heading.contains(**tool));
    heading.contains(tool) || named.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_about_other_tools_is_left_out() {
        let all = "# Changelog\n\n## Unreleased\n\n### All tools\n\n* One.\n\n\
                   ### `lob-export` and `lob-import`\n\n* Two,\n  as `lob-upload` has it.\n\n\
                   ## 0.1.0\n\n### `lob-upload`\n\n* Three.\n";
        let upload = "# Changelog\n\n## Unreleased\n\n### All tools\n\n* One.\n\n\
                      ## 0.1.0\n\n### `lob-upload`\n\n* Three.\n";
        assert_eq!(of("lob-upload", all), upload);
        let import = "# Changelog\n\n## Unreleased\n\n### All tools\n\n* One.\n\n\
                      ### `lob-export` and `lob-import`\n\n* Two,\n  as `lob-upload` has it.\n\n\
                      ## 0.1.0\n";
        assert_eq!(of("lob-import", all), import);
    }

    #[test]
    fn every_entry_says_which_tools_it_is_about() {
        let all = include_str!("../../../docs/CHANGELOG.md");
        let mut heading = "";
        for line in all.lines() {
            if line.starts_with('#') {
                heading = line;
            }
            let is_known = heading == "### All tools"
                || heading.starts_with("### ") && TOOLS.iter().any(|tool| heading.contains(tool));
            assert!(
                is_known || !line.starts_with("* "),
                "`{heading}` has `{line}`"
            );
        }
    }
}
