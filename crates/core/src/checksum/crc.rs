//! CRC64NVME, the checksum that S3 keeps for a whole object, however it was split into parts.
//!
//! The CRCs of parts combine into the CRC of the object without a second look at the bytes, so a
//! file is read only once.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};

/// A CRC64NVME value, written as in S3: base64 of the eight bytes, most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Crc(u64);

impl Crc {
    /// The CRC of no bytes at all: the neutral element of [`Crc::then`].
    pub const EMPTY: Self = Self(0);

    /// The CRC of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes))
    }

    /// The CRC of this data followed by `next_size` more bytes whose CRC is `next`.
    #[must_use]
    pub fn then(self, next: Self, next_size: u64) -> Self {
        if next_size == 0 {
            return self;
        }
        Self(crc_fast::checksum_combine(
            CrcAlgorithm::Crc64Nvme,
            self.0,
            next.0,
            next_size,
        ))
    }
}

impl fmt::Display for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0.to_be_bytes()))
    }
}

impl From<Crc> for String {
    fn from(crc: Crc) -> Self {
        crc.to_string()
    }
}

/// The text is not the base64 form of eight bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a CRC64NVME in base64")]
pub struct NotACrc(String);

impl FromStr for Crc {
    type Err = NotACrc;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        bytes
            .map(|bytes| Self(u64::from_be_bytes(bytes)))
            .ok_or_else(|| NotACrc(text.to_owned()))
    }
}

impl TryFrom<String> for Crc {
    type Error = NotACrc;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_string_has_the_crc_from_the_catalogue() {
        // CRC-64/NVME of "123456789" in the CRC catalogue: 0xae8b14860a799888.
        assert_eq!(Crc::of(b"123456789"), Crc(0xae8b_1486_0a79_9888));
        assert_eq!(Crc::of(b""), Crc::EMPTY);
    }

    proptest! {
        #[test]
        fn the_crcs_of_parts_combine_into_the_crc_of_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000), part_size in 1_usize..300,
        ) {
            let combined = bytes
                .chunks(part_size)
                .fold(Crc::EMPTY, |crc, part| crc.then(Crc::of(part), part.len() as u64));
            prop_assert_eq!(combined, Crc::of(&bytes));
        }

        #[test]
        fn the_text_form_of_a_crc_is_parsed_back(value in any::<u64>()) {
            prop_assert_eq!(Crc(value).to_string().parse(), Ok(Crc(value)));
        }
    }
}
