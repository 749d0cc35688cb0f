//! Values of flags that the standard library or another one reads: their errors say what is to be
//! typed, in the words that errors about the other layers have.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

/// What a duration is to be.
pub(super) const DURATION: &str = "a duration such as 30s, 5m or 1h 30m";
/// What a number is to be.
pub(super) const NUMBER: &str = "a whole number";
/// What a number is to be that cannot be zero.
pub(super) const POSITIVE_NUMBER: &str = "a whole number from 1 on";

/// A whole number.
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

/// A duration.
///
/// # Errors
/// What is expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected {DURATION}"))
}
