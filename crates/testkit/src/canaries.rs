//! Secrets given to processes under test, and the check that none of them is ever printed.

use std::process::Output;

/// The secret key of the S3 server.
pub const SECRET_KEY: &str = "testkit-secret-key";
/// A session token. It is signed into each request; no testkit server asks for it.
pub const SESSION_TOKEN: &str = "canary-session-token";
/// The password used in connection strings and URLs, in full or as a prefix.
pub const PASSWORD: &str = "opensesame";

/// Returns the output unchanged, once it is known to hold no secret and no control character except
/// newlines.
///
/// # Panics
/// If it holds one of these.
#[track_caller]
pub fn assert_clean(output: Output) -> Output {
    for said in [&output.stdout, &output.stderr] {
        let said = String::from_utf8_lossy(said);
        for line in said.lines() {
            let canary = [SECRET_KEY, SESSION_TOKEN, PASSWORD]
                .iter()
                .find(|canary| line.contains(**canary));
            assert_eq!(canary, None, "found in {line:?}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn said(stdout: &str, stderr: &str) -> Output {
        Output {
            status: ExitStatus::default(),
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }

    #[test]
    fn two_clean_lines_are_clean() {
        assert_clean(said("a\nb\n", "c\n"));
    }

    #[test]
    #[should_panic(expected = "found in")]
    fn a_canary_in_any_line_is_found() {
        assert_clean(said("a\n", "b\nthe opensesame-9\n"));
    }

    #[test]
    #[should_panic(expected = "\\u{1b}")]
    fn an_escape_in_any_line_is_found() {
        assert_clean(said("a\n\u{1b}[2J\n", ""));
    }

    #[test]
    #[should_panic(expected = "\\r")]
    fn a_carriage_return_is_not_a_line_ending() {
        assert_clean(said("", "a\rb\n"));
    }
}
