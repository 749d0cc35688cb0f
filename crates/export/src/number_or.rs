//! Settings that are either a number or one word with a meaning of its own.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number, or the word of `W`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String", bound = "W: Word")]
pub(crate) enum NumberOr<W> {
    /// A number, at least 1.
    Number(NonZeroU32),
    /// The word.
    Word(W),
}

/// A word that can stand in place of a number.
pub(crate) trait Word: Copy + Default {
    /// How the word is written.
    const TEXT: &'static str;
}

/// `all`: as many as there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct All;

/// `auto`: as many as seem right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Auto;

impl Word for All {
    const TEXT: &'static str = "all";
}

impl Word for Auto {
    const TEXT: &'static str = "auto";
}

impl<W: Word> FromStr for NumberOr<W> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == W::TEXT {
            return Ok(Self::Word(W::default()));
        }
        let number = text.parse().map(Self::Number);
        number.map_err(|_| {
            format!(
                "`{text}` is neither `{}` nor a number of at least 1",
                W::TEXT
            )
        })
    }
}

impl<W: Word> fmt::Display for NumberOr<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(_) => f.write_str(W::TEXT),
        }
    }
}

/// What a settings file may hold: a number or text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a whole number or its word")]
enum Written {
    Number(u32),
    Text(String),
}

impl<W: Word> TryFrom<Written> for NumberOr<W> {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl<W: Word> From<NumberOr<W>> for String {
    fn from(value: NumberOr<W>) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_its_word_round_trips() {
        for text in ["1", "1000", "all"] {
            let value: NumberOr<All> = text.parse().unwrap();
            assert_eq!(value.to_string(), text);
            let json = serde_json::to_value(value).unwrap();
            assert_eq!(
                serde_json::from_value::<NumberOr<All>>(json).unwrap(),
                value
            );
        }
        let plain = serde_json::from_value::<NumberOr<All>>(7.into()).unwrap();
        assert_eq!(plain.to_string(), "7");
        for text in ["", "0", "-1", "auto", "some"] {
            assert!(text.parse::<NumberOr<All>>().is_err(), "{text}");
        }
    }
}
