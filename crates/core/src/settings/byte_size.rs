//! Sizes as people write them, without rounding: `8MiB` is parsed as 8 MiB and `1500000` as
//! 1,500,000 bytes. Settings go through their text form, so it must be lossless.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes. Its text form is exact, in the largest binary unit that divides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// `bytes` bytes.
    pub const fn b(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `kib` times 2^10 bytes.
    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    /// `mib` times 2^20 bytes.
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// `gib` times 2^30 bytes.
    pub const fn gib(gib: u64) -> Self {
        Self(gib << 30)
    }

    /// The number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let size = text.parse::<bytesize::ByteSize>();
        size.map(|size| Self(size.as_u64()))
            .map_err(|_| format!("`{text}` is not a size such as 8MiB, 500KB or 1048576"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units
            .iter()
            .find(|(_, bits)| self.0 != 0 && self.0.trailing_zeros() >= *bits)
        {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// What a settings file may contain: `"8MiB"`, or a number of bytes.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a size such as 8MiB, 500KB or 1048576")]
enum Written {
    Bytes(u64),
    Text(String),
}

impl TryFrom<Written> for ByteSize {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_form_of_a_size_is_exact(bytes in any::<u64>(), bits in 0_u32..64) {
            // Sizes beyond 2^53 go through a float in the parser; no setting is that large.
            let size = ByteSize((bytes >> 11) >> bits << bits.min(30));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }

    #[test]
    fn sizes_are_parsed_in_all_common_notations() {
        for (text, bytes) in [
            ("8MiB", 8 << 20),
            ("8 MiB", 8 << 20),
            ("1MB", 1_000_000),
            ("7", 7),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
        assert_eq!(ByteSize(1_500_000).to_string(), "1500000B");
        assert!("lots".parse::<ByteSize>().is_err());
    }
}
