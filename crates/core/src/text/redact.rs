//! Keeps secrets out of everything that leaves the process.
//!
//! A result contains none by construction: a [`Secret`] prints as `***`, and results are not masked
//! afterwards, since a password may equal a number or a word in them. For free text (errors, log,
//! panics) that is not enough: the MongoDB driver puts parts of a password into its own errors and
//! panics. So every [`Secret`] that is read is also remembered here, and [`redact`] masks it.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::decoded;

/// What is written in place of a secret.
pub const MASK: &str = "***";

/// Shorter secrets are not searched for in text: masking every `a` would garble the message and
/// give the secret away.
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
pub(crate) fn remember(secret: &str) {
    if secret.len() < SHORTEST_SEARCHED {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|k| k == secret) {
        known.push(secret.to_owned());
        // Longest first: a password is often part of a connection string that is known too.
        known.sort_by_key(|k| std::cmp::Reverse(k.len()));
    }
}

/// Remembers the password of an address such as `mongodb://user:password@host/`, if `text` is one.
pub(crate) fn remember_password_of(text: &str) {
    let userinfo = text
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'));
    if let Some((_, password)) = userinfo.and_then(|(userinfo, _)| userinfo.split_once(':')) {
        remember_encoded(password);
    }
}

/// Remembers a secret from an address, both as written and decoded, since libraries report the
/// decoded form.
pub fn remember_encoded(secret: &str) {
    remember(secret);
    remember(&decoded(secret));
}

/// Free text with every remembered secret replaced by `***`, whether plain, percent-encoded or
/// escaped as in JSON, and without the password of any address.
pub fn redact(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let masked = known.iter().fold(text.to_owned(), |text, secret| {
        let text = text.replace(secret.as_str(), MASK);
        if text.contains(['%', '\\']) {
            without_encoded(&text, secret)
        } else {
            text
        }
    });
    without_user_info(&masked)
}

/// A line of JSON with its string values redacted; names and numbers are not free text.
pub(crate) fn redact_json(line: &str) -> String {
    let (mut redacted, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(start) = rest.find('"') {
        let (before, text) = rest.split_at(start);
        let mut is_escaped = false;
        let ends = |&(position, c): &(usize, char)| {
            let ends = c == '"' && !is_escaped && position > 0;
            is_escaped = c == '\\' && !is_escaped;
            ends
        };
        let end = text.char_indices().find(ends);
        let (text, after) = text.split_at(end.map_or(text.len(), |(end, _)| end + 1));
        redacted.push_str(before);
        match serde_json::from_str::<String>(text) {
            Ok(value) if !after.starts_with(':') => {
                redacted.push_str(&serde_json::Value::from(redact(&value)).to_string());
            }
            _ => redacted.push_str(text),
        }
        rest = after;
    }
    redacted + rest
}

/// Masks `secret` even if some of its characters are encoded.
fn without_encoded(text: &str, secret: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let secret = encoded_length(rest.as_bytes(), secret.as_bytes());
        let (shown, after) = match secret.and_then(|length| rest.get(length..)) {
            Some(after) => (MASK, after),
            None => rest.split_at(c.len_utf8()),
        };
        masked.push_str(shown);
        rest = after;
    }
    masked
}

/// The length of `secret` at the beginning of `text`, in any encoding, if it is there.
fn encoded_length(text: &[u8], secret: &[u8]) -> Option<usize> {
    let mut length = 0;
    for &byte in secret {
        let (said, taken) = first_byte(text.get(length..)?)?;
        length += match said == byte {
            true => taken,
            // A percent sign or a backslash that stands for itself.
            false if text[length] == byte => 1,
            false => return None,
        };
    }
    Some(length)
}

/// The first byte that `text` encodes, and the number of bytes that encode it.
fn first_byte(text: &[u8]) -> Option<(u8, usize)> {
    let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let said = match *text {
        [b'%', a, b, ..] => hex(&[a, b]).map(|byte| (byte, 3)),
        [b'\\', b'u', b'0', b'0', a, b, ..] => hex(&[a, b]).map(|byte| (byte, 6)),
        [b'\\', escaped, ..] => match escaped {
            b'n' => Some((b'\n', 2)),
            b'r' => Some((b'\r', 2)),
            b't' => Some((b'\t', 2)),
            b'b' => Some((8, 2)),
            b'f' => Some((12, 2)),
            b'"' | b'\\' | b'/' | b'\'' => Some((escaped, 2)),
            _ => None,
        },
        _ => None,
    };
    said.or_else(|| Some((*text.first()?, 1)))
}

/// Masks user name and password of every address in `text`, including addresses that we were not
/// given, such as that of a proxy.
fn without_user_info(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        masked.push_str("://");
        let ends = |c: char| c.is_whitespace() || "/?#\"'`<>\\".contains(c);
        let authority = &piece[..piece.find(ends).unwrap_or(piece.len())];
        match authority.rsplit_once('@') {
            Some((user_info, _)) if user_info.contains(':') => {
                masked.push_str(MASK);
                masked.push_str(&piece[user_info.len()..]);
            }
            _ => masked.push_str(piece),
        }
    }
    masked
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
    fn redact_masks_every_remembered_secret() {
        remember("s3cr3t-value");
        remember("mongodb://user:s3cr3t-value@host/");
        assert_eq!(
            redact("got s3cr3t-value twice: s3cr3t-value"),
            "got *** twice: ***"
        );
        assert_eq!(redact("uri mongodb://user:s3cr3t-value@host/"), "uri ***");
        assert_eq!(redact("nothing here"), "nothing here");
    }

    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        remember("q\"o/t\\e%d ñ");
        for form in [
            "q\"o/t\\e%d ñ",
            "q%22o%2Ft%5Ce%25d%20%C3%B1",
            "q%22o%2ft%5ce%25d%20ñ",
            "q\\\"o/t\\\\e%d ñ",
            "q\\u0022o\\/t\\u005ce%d\\u0020ñ",
        ] {
            assert_eq!(
                redact(&format!("<{form}> % \\ ñ")),
                "<***> % \\ ñ",
                "{form}"
            );
        }
        remember_password_of("http://user:w%40rd-of-it@host");
        assert_eq!(redact("w@rd-of-it w%40rd%2dof%2Dit"), "*** ***");
    }

    #[test]
    fn the_password_of_any_address_is_masked() {
        for (text, shown) in [
            ("no http://u:p@h:1/a@b there", "no http://***@h:1/a@b there"),
            (
                "`http://u:p@h`, \"s3://a:b@c\"",
                "`http://***@h`, \"s3://***@c\"",
            ),
            (
                "http://u@h and http://h/ a:b@c",
                "http://u@h and http://h/ a:b@c",
            ),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn redacted_json_stays_valid_whatever_the_secret_is() {
        for secret in ["7321", "level", "n-word", "true"] {
            remember(secret);
        }
        let line =
            r#"{"level":"a\"level","n":7321,"b":true,"c":["7321\\","\n-word"],"d":"\\n-word"}"#;
        let shown = r#"{"level":"a\"***","n":7321,"b":true,"c":["***\\","\n-word"],"d":"\\***"}"#;
        assert_eq!(redact_json(line), shown);
    }
}
