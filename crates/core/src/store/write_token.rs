//! The mark that a run leaves on everything it writes.

use std::fmt;
use std::str::FromStr;

use crate::text::InvalidText;

/// A random number that marks everything that one run wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteToken(String);

impl WriteToken {
    /// A new token of 122 random bits.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }
}

impl fmt::Display for WriteToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WriteToken {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match uuid::Uuid::try_parse(text) {
            Ok(token) => Ok(Self(token.simple().to_string())),
            Err(_) => Err(InvalidText(format!("`{text}` is not a write token"))),
        }
    }
}

crate::serialize_as_text!(WriteToken);
