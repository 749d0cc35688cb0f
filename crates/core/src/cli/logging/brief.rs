//! Log lines for someone at a terminal: the time of day, and no field that repeats the text.

use std::fmt;

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Hours, minutes and seconds in local time.
pub(super) struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Zoned::now().strftime("%H:%M:%S"))
    }
}

/// The text, followed by the fields whose values it does not contain.
pub(super) struct BriefFields;

impl<'w> FormatFields<'w> for BriefFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, event: R) -> fmt::Result {
        let mut found = Found::default();
        event.record(&mut found);
        writer.write_str(&found.text)?;
        for (name, value) in &found.fields {
            if !repeats(&found.text, value) {
                write!(writer, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Found {
    text: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Found {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), format!("{value:.2}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.text = format!("{value:?}"),
            name => self.fields.push((name, format!("{value:?}"))),
        }
    }
}

/// Whether the text contains this value other than as part of a longer word or number.
fn repeats(text: &str, value: &str) -> bool {
    let value = value.trim_matches('"');
    let goes_on = |left: Option<char>, right: Option<char>| {
        left.zip(right).is_some_and(|(left, right)| {
            // A unit may follow a number, but a number after letters belongs to their word.
            left.is_numeric() && right.is_numeric()
                || left.is_alphabetic() && right.is_alphanumeric()
        })
    };
    text.match_indices(value).any(|(begin, _)| {
        let (before, after) = (&text[..begin], &text[begin + value.len()..]);
        !goes_on(before.chars().next_back(), value.chars().next())
            && !goes_on(value.chars().next_back(), after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_inside_a_longer_word_or_number_is_not_a_repetition() {
        let text = "s3 run `night-1` sent 25 files in 2.06s; `--run-id night-1` resumes it";
        for value in ["night-1", "\"night-1\"", "25", "25 files", "2.06"] {
            assert!(repeats(text, value), "{value}");
        }
        for value in ["3", "5", "night-11", "ight-1", "2.0", "\"other\""] {
            assert!(!repeats(text, value), "{value}");
        }
    }
}
