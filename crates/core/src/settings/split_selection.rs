//! Which splits a command works on: all of them, or those with the given numbers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::text::InvalidText;

/// All splits, or some by number. Its text form is `all` or `0,2,5`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

impl FromStr for SplitSelection {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let numbers: Result<_, _> = text.split(',').map(|n| n.trim().parse()).collect();
        numbers.map(Self::Some).map_err(|_| {
            InvalidText(format!(
                "`{text}` selects no splits: use `all`, or numbers separated by commas"
            ))
        })
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

crate::serialize_as_text!(SplitSelection);

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
