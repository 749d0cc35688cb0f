//! A share of documents, as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A share of documents, from 0 to 100; its text form may end with `%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Percent(f64);

/// What a settings file may contain: a number or a text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a percentage from 0 to 100")]
enum Written {
    Number(f64),
    Text(String),
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
        let is_share = |share: &f64| (0.0..=100.0).contains(share);
        number
            .filter(is_share)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a percentage from 0 to 100"))
    }
}

impl TryFrom<Written> for Percent {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Percent {
    /// `percent` percent, at most 100.
    pub const fn of(percent: u8) -> Self {
        Self(if percent > 100 { 100.0 } else { percent as f64 })
    }

    /// Whether `part` of `whole` is no more than this.
    pub fn allows(self, part: u64, whole: u64) -> bool {
        part as f64 * 100.0 <= self.0 * whole as f64
    }

    /// The smallest percentage, to two decimal places, that allows this part.
    pub fn that_allows(part: u64, whole: u64) -> Self {
        let hundredths = (u128::from(part) * 10_000).div_ceil(u128::from(whole.max(1)));
        let percent = Self(hundredths as f64 / 100.0);
        // Rounding may tip the comparison the other way.
        if percent.allows(part, whole) {
            percent
        } else {
            Self((hundredths + 1) as f64 / 100.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_number_from_0_to_100() {
        for (text, share) in [("0", 0.0), ("0.5%", 0.5), ("100 %", 100.0)] {
            assert_eq!(text.parse(), Ok(Percent(share)));
        }
        for text in ["-1", "101", "NaN", "", "%", "half"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!(Percent::that_allows(20, 100_000), Percent(0.02));
        assert_eq!(Percent::that_allows(1, 300_000), Percent(0.01));
        assert!(Percent::that_allows(1, 300_000).allows(1, 300_000));
        for part in 0..=10_000 {
            assert!(
                Percent::that_allows(part, 10_000).allows(part, 10_000),
                "{part}"
            );
        }
        assert!(!Percent(0.0).allows(1, u64::MAX));
        assert!(Percent(0.0).allows(0, 0));
    }

    #[test]
    fn a_percentage_is_parsed_from_a_text_or_a_number() {
        for (written, share) in [
            (serde_json::json!("20%"), Percent::of(20)),
            (serde_json::json!(0.5), Percent(0.5)),
            (serde_json::json!(100), Percent::of(255)),
        ] {
            let read: Percent = serde_json::from_value(written).unwrap();
            assert_eq!(read, share);
            assert_eq!(read.to_string().parse(), Ok(read));
        }
    }
}
