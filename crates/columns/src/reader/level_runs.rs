//! Levels as runs: Parquet's hybrid of run lengths and bit packing mostly has them already.
//!
//! Runs that end early stand for damaged levels. They take no memory, whatever a page claims.

use polars_parquet::parquet::encoding::{
    bitpacked,
    hybrid_rle::{HybridRleChunk, HybridRleChunkIter, HybridRleDecoder},
};

/// Equal levels in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Run {
    pub(super) level: u32,
    pub(super) length: usize,
}

/// The levels of a page as runs, which are not always as long as possible.
pub(super) struct Runs<'a> {
    chunks: HybridRleChunkIter<'a>,
    packed: bitpacked::Decoder<'a, u32>,
    /// Unpacked levels, of which those from `next` up to `end` are still to come.
    unpacked: [u32; 32],
    next: usize,
    end: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(bytes: &'a [u8], bits: u32, count: usize) -> Self {
        Self {
            chunks: HybridRleDecoder::new(bytes, bits, count).into_chunk_iter(),
            packed: bitpacked::Decoder::default(),
            unpacked: [0; 32],
            next: 0,
            end: 0,
        }
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        loop {
            let unpacked = &self.unpacked[self.next..self.end];
            if let Some(level) = unpacked.first().copied() {
                let length = unpacked.iter().take_while(|next| **next == level).count();
                self.next += length;
                return Some(Run { level, length });
            }
            if let Some((unpacked, end)) = self.packed.chunked().next_inexact() {
                (self.unpacked, self.next, self.end) = (unpacked, 0, end);
                continue;
            }
            match self.chunks.next()?.ok()? {
                HybridRleChunk::Rle(level, length) if length > 0 => {
                    return Some(Run { level, length });
                }
                HybridRleChunk::Rle(..) => {}
                HybridRleChunk::Bitpacked(packed) => self.packed = packed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use polars_parquet::parquet::encoding::hybrid_rle::encode;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_the_levels_that_were_encoded(
            runs in prop::collection::vec((0..4_u32, prop_oneof![1..4_usize, 1..900_usize]), 0..50),
        ) {
            let levels = |(level, length): &(u32, usize)| std::iter::repeat_n(*level, *length);
            let levels: Vec<_> = runs.iter().flat_map(levels).collect();
            let mut bytes = Vec::new();
            encode(&mut bytes, levels.iter().copied(), 2).unwrap();
            let found = Runs::new(&bytes, 2, levels.len());
            let found: Vec<_> =
                found.flat_map(|run| std::iter::repeat_n(run.level, run.length)).collect();
            prop_assert_eq!(found, levels);
        }
    }
}
