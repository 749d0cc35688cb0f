//! Counts in messages: a count of one gets no plural, and bytes are given in MiB.

use std::fmt::Display;

/// Bytes in what the legacy scripts call a megabyte.
pub const MIB: f64 = 1_048_576.0;

/// A number and what it counts: `1 range`, `3 ranges`.
pub fn counted<N: Display + PartialEq + From<u8>>(number: N, one: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// A size for people: `1.50 MiB`.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_count_of_one_is_singular() {
        assert_eq!(counted(0_u64, "data file"), "0 data files");
        assert_eq!(counted(1_usize, "range"), "1 range");
        assert_eq!(counted(2_u32, "split"), "2 splits");
    }
}
