//! The mark that a run leaves on everything it writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A random number that marks everything that one run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a write token")]
pub struct NotAToken(String);

impl FromStr for WriteToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match uuid::Uuid::try_parse(text) {
            Ok(token) => Ok(Self(token.simple().to_string())),
            Err(_) => Err(NotAToken(text.to_owned())),
        }
    }
}

impl TryFrom<String> for WriteToken {
    type Error = NotAToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WriteToken> for String {
    fn from(token: WriteToken) -> Self {
        token.0
    }
}
