//! A digest of a set of documents, independent of their order.
//!
//! It is the sum, modulo 2^128, of the first 16 bytes (little-endian) of each raw document's BLAKE3
//! hash. Data files can be added up in any order, and a lost, changed or duplicated document shows.

use std::fmt;
use std::str::FromStr;

use crate::text::InvalidText;

/// The digest of the documents added so far; written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// Adds one raw document.
    pub fn add(&mut self, document: &[u8]) {
        let hash = blake3::hash(document);
        let mut low = [0; 16];
        low.copy_from_slice(&hash.as_bytes()[..16]);
        self.0 = self.0.wrapping_add(u128::from_le_bytes(low));
    }

    /// Adds all documents of another digest.
    pub fn merge(&mut self, other: Digest) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let has_form = text.len() == 32 && text.bytes().all(is_digit);
        let number = has_form.then(|| u128::from_str_radix(text, 16).ok());
        number
            .flatten()
            .map(Self)
            .ok_or_else(|| InvalidText("a digest is 32 lower-case hexadecimal digits".to_owned()))
    }
}

crate::serialize_as_text!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_grouping_do_not_matter() {
        let (mut one, mut left, mut right) =
            (Digest::default(), Digest::default(), Digest::default());
        for document in [b"a", b"b", b"c"] {
            one.add(document);
        }
        left.add(b"c");
        right.add(b"b");
        right.add(b"a");
        left.merge(right);
        assert_eq!(one, left);
    }

    #[test]
    fn a_duplicated_document_changes_the_digest() {
        let (mut once, mut twice) = (Digest::default(), Digest::default());
        once.add(b"a");
        twice.add(b"a");
        twice.add(b"a");
        assert_ne!(once, twice);
    }

    /// BLAKE3 of the empty input starts with af1349b9f5f9a1a6a0404dea36dcc949.
    #[test]
    fn a_digest_prints_its_highest_digit_first_and_parses_back() {
        let mut digest = Digest::default();
        digest.add(b"");
        assert_eq!(digest.to_string(), "49c9dc36ea4d40a0a6a1f9f5b94913af");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(
            serde_json::to_string(&digest).unwrap(),
            format!("\"{digest}\"")
        );
        for bad in [
            "",
            "0",
            "+0000000000000000000000000000000",
            "A".repeat(32).as_str(),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
