//! Which splits a command works on: all of them, or those with the given numbers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// All splits, or some by number. Its text form is `all` or `0,2,5`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SplitSelection {
    /// Every split.
    #[default]
    All,
    /// These splits, each of which must exist.
    Some(BTreeSet<u32>),
}

impl SplitSelection {
    /// The numbers, unless all splits are selected.
    pub fn numbers(&self) -> Option<&BTreeSet<u32>> {
        match self {
            Self::All => None,
            Self::Some(numbers) => Some(numbers),
        }
    }
}

/// The text does not select any splits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` selects no splits: use `all`, or numbers separated by commas")]
pub struct InvalidSelection(String);

impl FromStr for SplitSelection {
    type Err = InvalidSelection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let numbers: Result<_, _> = text.split(',').map(|n| n.trim().parse()).collect();
        numbers
            .map(Self::Some)
            .map_err(|_| InvalidSelection(text.to_owned()))
    }
}

impl fmt::Display for SplitSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
                f.write_str(&numbers.join(","))
            }
        }
    }
}

impl TryFrom<String> for SplitSelection {
    type Error = InvalidSelection;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SplitSelection> for String {
    fn from(selection: SplitSelection) -> Self {
        selection.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_selection_is_parsed_and_printed() {
        assert_eq!("all".parse(), Ok(SplitSelection::All));
        let some: SplitSelection = "5, 0,5".parse().unwrap();
        assert_eq!(some.to_string(), "0,5");
        for text in ["", "a", "1,,2", "-1"] {
            assert!(text.parse::<SplitSelection>().is_err(), "{text}");
        }
    }
}
