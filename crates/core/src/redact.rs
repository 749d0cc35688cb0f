//! Keeps secrets out of everything that leaves the process: stdout, stderr, logs, manifests, panics.
//!
//! A type that prints `***` is not enough: the MongoDB driver puts parts of a password into the
//! text of its own errors and panics. So every [`Secret`] that is read is also remembered here,
//! and [`redact`] goes over outgoing text as the last step before it is written.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is written in place of a secret.
pub const MASK: &str = "***";

/// Shorter secrets are not searched for in text: masking every `a` would hide the message and
/// betray the secret.
const SHORTEST_SEARCHED: usize = 4;

static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// A value that is never printed: `Debug`, `Display` and `Serialize` all give `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value` and remembers it, so that [`redact`] finds it in any text.
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        remember(&value);
        Self(value)
    }

    /// The value itself, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(value))
    }
}

/// Remembers `secret`, so that [`redact`] masks it wherever it turns up.
pub fn remember(secret: &str) {
    if secret.len() < SHORTEST_SEARCHED {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|k| k == secret) {
        known.push(secret.to_owned());
        // Longest first: a password is often part of a connection string that is known as well.
        known.sort_by_key(|k| std::cmp::Reverse(k.len()));
    }
}

/// Remembers the password of an address such as `mongodb://user:password@host/`, if `text` is one.
pub fn remember_password_of(text: &str) {
    let userinfo = text
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'));
    if let Some((_, password)) = userinfo.and_then(|(userinfo, _)| userinfo.split_once(':')) {
        remember(password);
    }
}

/// `text` with every remembered secret replaced by `***`.
pub fn redact(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.iter().fold(text.to_owned(), |text, secret| {
        if text.contains(secret.as_str()) {
            text.replace(secret.as_str(), MASK)
        } else {
            text
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2-never");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    }

    #[test]
    fn the_password_of_an_address_is_remembered() {
        remember_password_of("http://user:p@ss-w0rd@host/path");
        remember_password_of("no address: at all@");
        assert_eq!(redact("bad p@ss-w0rd, at all@"), "bad ***, at all@");
    }

    #[test]
    fn redact_masks_every_remembered_secret_wherever_it_stands() {
        remember("s3cr3t-value");
        remember("mongodb://user:s3cr3t-value@host/");
        assert_eq!(
            redact("got s3cr3t-value twice: s3cr3t-value"),
            "got *** twice: ***"
        );
        assert_eq!(redact("uri mongodb://user:s3cr3t-value@host/"), "uri ***");
        assert_eq!(redact("nothing here"), "nothing here");
    }
}
