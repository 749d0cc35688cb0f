//! CRC64NVME, the checksum that S3 keeps for a whole object, however it was split into parts.
//!
//! The CRCs of parts combine into the CRC of the object without a second look at the bytes, so a
//! file is read only once.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;

use crate::text::InvalidText;

/// A CRC64NVME value, written as in S3: base64 of the eight bytes, most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        // Zeros appended to the data multiply its remainder by `x` once a bit. The library raises a
        // matrix to that power instead, which takes 0.3 ms.
        let mut shifted = self.0;
        for power in 0..u64::BITS {
            if next_size >> power & 1 == 1 {
                shifted = multiply(shifted, APPENDED_ZEROS[power as usize]);
            }
        }
        Self(shifted ^ next.0)
    }
}

/// A CRC being computed.
#[derive(Debug)]
pub(crate) struct CrcHasher(crc_fast::Digest);

impl Default for CrcHasher {
    fn default() -> Self {
        Self(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl CrcHasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Crc {
        Crc(self.0.finalize())
    }
}

/// The polynomial of CRC64NVME, reflected: bit 63 is the coefficient of `x^0`.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// What a remainder is multiplied by when `2^i` zero bytes are appended: `x` to the power of `8 * 2^i`.
const APPENDED_ZEROS: [u64; u64::BITS as usize] = {
    let x_to_the_8 = 1 << (63 - 8);
    let mut powers = [x_to_the_8; u64::BITS as usize];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = multiply(powers[i - 1], powers[i - 1]);
        i += 1;
    }
    powers
};

/// The product of two remainders, modulo [`POLYNOMIAL`].
const fn multiply(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    let mut bit = 63;
    loop {
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        if bit == 0 {
            return product;
        }
        let carry = b & 1;
        b >>= 1;
        if carry == 1 {
            b ^= POLYNOMIAL;
        }
        bit -= 1;
    }
}

impl fmt::Display for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0.to_be_bytes()))
    }
}

crate::serialize_as_text!(Crc);

impl FromStr for Crc {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        bytes
            .map(|bytes| Self(u64::from_be_bytes(bytes)))
            .ok_or_else(|| InvalidText(format!("`{text}` is not a CRC64NVME in base64")))
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
        fn crcs_of_any_size_combine_as_the_library_combines_them(
            first in any::<u64>(), next in any::<u64>(), size in 1..u64::MAX,
        ) {
            let (algorithm, combined) = (CrcAlgorithm::Crc64Nvme, Crc(first).then(Crc(next), size));
            let expected = crc_fast::checksum_combine(algorithm, first, next, size);
            prop_assert_eq!(combined, Crc(expected));
        }

        #[test]
        fn the_text_form_of_a_crc_is_parsed_back(value in any::<u64>()) {
            prop_assert_eq!(Crc(value).to_string().parse(), Ok(Crc(value)));
        }
    }
}
