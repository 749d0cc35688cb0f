//! Flag values that the standard library or another library parses: the errors say what to type, in
//! the same words as errors about the other layers.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

/// What a duration should look like.
pub(super) const DURATION: &str = "a duration such as 30s, 5m or 1h 30m";
/// What a number should look like.
pub(super) const NUMBER: &str = "a whole number";
/// What a nonzero number should look like.
pub(super) const POSITIVE_NUMBER: &str = "a whole number of at least 1";

/// Parses a whole number.
///
/// # Errors
/// What is expected instead.
pub fn whole<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    text.parse().map_err(|error: ParseIntError| {
        let expected = match error.kind() {
            IntErrorKind::Zero => POSITIVE_NUMBER,
            IntErrorKind::PosOverflow => "a smaller number",
            _ => NUMBER,
        };
        format!("expected {expected}")
    })
}

/// Parses a duration.
///
/// # Errors
/// What is expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected {DURATION}"))
}
