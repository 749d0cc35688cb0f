//! How large the parts of a file are: as configured, or larger where the 10,000 parts that S3 allows
//! would not be enough.

use crate::failure::Failure;
use crate::settings::{ByteSize, MAX_PARTS, PART_SIZE_RANGE};

/// Refuses a part size outside S3's limits.
pub(super) fn check(part_size: ByteSize) -> Result<(), Failure> {
    let (smallest, largest) = PART_SIZE_RANGE;
    if part_size < smallest || part_size > largest {
        return Err(Failure::usage(format!(
            "`part_size` {part_size} is outside S3's limits, {smallest} to {largest}"
        ))
        .about(&["part_size"]));
    }
    Ok(())
}

/// The part size for a file of `file_size` bytes, where `configured` is wanted.
pub(super) fn for_file(file_size: u64, configured: u64) -> u64 {
    let needed = file_size
        .div_ceil(MAX_PARTS)
        .next_multiple_of(ByteSize::mib(1).0);
    configured.max(needed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn part_sizes_outside_the_limits_of_s3_are_refused() {
        assert!(check(ByteSize::mib(4)).is_err());
        assert!(check(ByteSize::mib(5)).is_ok());
        assert!(check(ByteSize::gib(5)).is_ok());
        assert!(check(ByteSize::gib(6)).is_err());
    }

    proptest! {
        #[test]
        fn any_file_within_the_limit_of_s3_fits_into_its_parts(file_size in 0..5_u64 << 40) {
            let part_size = for_file(file_size, ByteSize::mib(8).0);
            prop_assert!(file_size.div_ceil(part_size) <= MAX_PARTS);
            prop_assert!(part_size >= PART_SIZE_RANGE.0.0 && part_size <= PART_SIZE_RANGE.1.0);
        }
    }
}
