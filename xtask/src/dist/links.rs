//! The links of our Markdown files to each other, which lead somewhere only where both files are.

/// Markdown's mark for the beginning and the end of code.
const FENCE: &str = "```";

/// A link to another file, or to a place in the same file.
pub(super) struct Link<'a> {
    /// What is shown for it.
    shown: &'a str,
    /// The other file, from the folder of this one; empty if it is the same.
    pub(super) file: &'a str,
    /// The heading that it leads to, if any.
    pub(super) heading: Option<&'a str>,
    /// Both, as they are written.
    pub(super) target: &'a str,
}

/// The relative links of a line.
fn of_line(line: &str) -> impl Iterator<Item = Link<'_>> {
    line.match_indices("](").filter_map(|(middle, mark)| {
        let start = line[..middle].rfind('[')? + 1;
        let target = line[middle + mark.len()..].split_once(')')?.0;
        let (file, heading) = match target.split_once('#') {
            Some((file, heading)) => (file, Some(heading)),
            None => (target, None),
        };
        let is_relative = !target.contains(':');
        is_relative.then_some(Link {
            shown: &line[start..middle],
            file,
            heading,
            target,
        })
    })
}

/// The lines of a Markdown file, each with whether it is text rather than code.
fn lines(markdown: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut is_text = true;
    markdown.split_inclusive('\n').map(move |line| {
        let is_fence = line.trim_start().starts_with(FENCE);
        is_text ^= is_fence;
        (line, is_text && !is_fence)
    })
}

/// The relative links of a Markdown file.
pub(super) fn of(markdown: &str) -> impl Iterator<Item = Link<'_>> {
    let text = lines(markdown).filter(|(_, is_text)| *is_text);
    text.flat_map(|(line, _)| of_line(line))
}

/// The headings of a Markdown file, as links name them.
pub(super) fn headings(markdown: &str) -> impl Iterator<Item = String> {
    let text = lines(markdown).filter(|(_, is_text)| *is_text);
    let headings = text.filter_map(|(line, _)| line.strip_prefix('#'));
    headings.map(|heading| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        });
        kept.collect()
    })
}

/// The file with each relative link replaced by what is shown for it, for a place where no other
/// file is.
pub(super) fn as_text(markdown: &str) -> String {
    let lines = lines(markdown).map(|(line, is_text)| {
        if !is_text {
            return line.to_owned();
        }
        of_line(line).fold(line.to_owned(), |line, link| {
            line.replace(&format!("[{}]({})", link.shown, link.target), link.shown)
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page\n\n## `lob-upload list`, for one\n\n\
                        See [this](docs/A.md#b), [below](#a-page) or [there](https://a.example/).\n\
                        ```sh\n# a[0](x)\n```\n[End](docs/A.md).\n";

    #[test]
    fn links_to_other_servers_and_code_are_no_links_between_files() {
        let found: Vec<_> = of(PAGE).map(|link| (link.file, link.heading)).collect();
        let expected = [
            ("docs/A.md", Some("b")),
            ("", Some("a-page")),
            ("docs/A.md", None),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_heading_is_named_by_its_letters_and_digits() {
        let found: Vec<_> = headings(PAGE).collect();
        assert_eq!(found, ["a-page", "lob-upload-list-for-one"]);
    }

    #[test]
    fn text_without_links_still_says_the_same() {
        let text = as_text(PAGE);
        assert!(text.contains("See this, below or [there](https://a.example/).\n"));
        assert!(text.ends_with("# a[0](x)\n```\nEnd.\n"));
    }
}
