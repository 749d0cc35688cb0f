//! Flag values that the standard library or another library parses: the errors say what to type, in
//! the same words as errors about the other layers.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

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

/// A number as it may be written.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a whole number of at least 1")]
enum Written {
    Number(u64),
    Text(String),
}

/// Deserializes a number of at least 1 without a default. Environment variables provide it as text,
/// because no default shows that it is a number.
///
/// # Errors
/// What is expected instead.
pub fn optional_number<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = ParseIntError>,
{
    let written = Option::<Written>::deserialize(deserializer)?;
    let number = written.map(|written| {
        let text = match written {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(|error: ParseIntError| {
            let expected = match error.kind() {
                IntErrorKind::PosOverflow => "a smaller number",
                _ => POSITIVE_NUMBER,
            };
            format!("expected {expected}, not `{text}`")
        })
    });
    number.transpose().map_err(de::Error::custom)
}

/// Parses a duration.
///
/// # Errors
/// What is expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected {DURATION}"))
}
