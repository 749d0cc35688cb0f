//! How many ranges are exported at once, and how they share the memory.

use std::num::NonZeroUsize;
use std::thread;

use lob_core::settings::ByteSize;
use lob_core::settings::{BASE_MEMORY, warn_of_need};
use lob_core::settings::{PartLimits, PartSettings};
use lob_mongo::{MAX_RANGES, RangeSize};

use crate::number_or::NumberOr;
use crate::settings::ExportSettings;

/// Row groups that a range holds at once: one that fills, those that are encoded with what becomes
/// of them, and what waits to be sent.
const ROW_GROUPS: u64 = 10;
/// Parts of each range that should fit into memory: fewer do not fill a fast link.
const PARTS_OF_RANGE: u64 = 4;
/// What a range reads ahead at least if that is not set: enough for a fast link.
pub(crate) const READ_AHEAD: ByteSize = ByteSize::mib(16);
/// And at most: a slow link is read by as many cursors as this has room for.
const MOST_READ_AHEAD: ByteSize = ByteSize::mib(128);

/// How the memory of an export is shared.
pub(crate) struct Shares {
    /// Ranges that are exported at once.
    pub(crate) jobs: NonZeroUsize,
    /// Documents to buffer for each of them.
    pub(crate) read_ahead: ByteSize,
    /// Limits on the parts of all.
    pub(crate) parts: PartLimits,
}

impl ExportSettings {
    /// How many ranges this process exports at once if there are as many.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shares(usize::MAX, self.part_size()).jobs.get()
    }

    /// How finely to cut each of so many splits. If that is not set, together they have `at_once`
    /// ranges at least, each split as many as any other.
    pub(crate) fn cuts(&self, splits: usize, at_once: usize) -> RangeSize {
        if let NumberOr::Number(count) = self.ranges {
            return RangeSize::Count(count.get());
        }
        let wanted = match self.range_size {
            Some(_) => 1,
            None => at_once.div_ceil(splits.max(1)),
        };
        RangeSize::Bytes {
            largest: self.range_size(),
            wanted: u32::try_from(wanted).unwrap_or(MAX_RANGES),
        }
    }

    /// What a range takes besides its parts.
    fn of_range(&self) -> u64 {
        let row_groups = self.row_group_size.0.saturating_mul(ROW_GROUPS);
        let read_ahead = self.read_ahead.unwrap_or(READ_AHEAD);
        read_ahead.0.saturating_add(row_groups)
    }

    /// Warns if one range alone may need more than the memory that is set.
    pub(crate) fn check_memory(&self) {
        let parts = PARTS_OF_RANGE.saturating_mul(self.part_size().0);
        let need = BASE_MEMORY
            .0
            .saturating_add(self.of_range())
            .saturating_add(parts);
        let remedy = "a smaller --row-group-size or --read-ahead needs less";
        warn_of_need(self.memory, ByteSize(need), remedy);
    }

    /// How the memory is shared while `ranges` are exported with parts of `part_size`.
    pub(crate) fn shares(&self, ranges: usize, part_size: ByteSize) -> Shares {
        let memory = self.memory.0.saturating_sub(BASE_MEMORY.0);
        let of_range = self.of_range();
        let of_parts = PARTS_OF_RANGE.saturating_mul(part_size.0);
        let jobs = self.jobs.unwrap_or_else(|| {
            let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            let fit = memory / of_range.saturating_add(of_parts).max(1);
            let fit = usize::try_from(fit).unwrap_or(usize::MAX).min(ranges);
            NonZeroUsize::new(fit)
                .unwrap_or(NonZeroUsize::MIN)
                .min(cores)
        });
        let count = jobs.get() as u64;
        let left = memory.saturating_sub(of_range.saturating_mul(count));
        // Data comes and goes over links that are equally slow, and a part takes four times as much
        // memory as what a cursor reads at once.
        let read_ahead = self.read_ahead.unwrap_or_else(|| {
            let share = left.saturating_sub(of_parts) / 4 / count;
            ByteSize(READ_AHEAD.0.saturating_add(share).min(MOST_READ_AHEAD.0))
        });
        let more = read_ahead.0.saturating_sub(READ_AHEAD.0);
        let left = match self.read_ahead {
            Some(_) => left,
            None => left.saturating_sub(more.saturating_mul(count)),
        };
        let parts = PartSettings {
            part_size: Some(part_size),
            ..self.parts.clone()
        };
        Shares {
            jobs,
            read_ahead,
            parts: parts.within(ByteSize(left.max(of_parts))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::settings::defaults;

    #[test]
    fn splits_are_cut_into_as_many_ranges_as_are_exported_at_once() {
        let settings = defaults();
        let largest = ByteSize::gib(1);
        let bytes = |largest, wanted| RangeSize::Bytes { largest, wanted };
        for (splits, wanted) in [(1, 8), (3, 3), (8, 1), (100, 1)] {
            assert_eq!(settings.cuts(splits, 8), bytes(largest, wanted));
        }
        let sized = ExportSettings {
            range_size: Some(largest),
            ..defaults()
        };
        assert_eq!(sized.cuts(1, 8), bytes(largest, 1));
        let counted = ExportSettings {
            ranges: NumberOr::Number(NonZeroU32::new(5).unwrap()),
            ..defaults()
        };
        assert_eq!(counted.cuts(1, 8), RangeSize::Count(5));
        let with_jobs = ExportSettings {
            jobs: NonZeroUsize::new(8),
            ..defaults()
        };
        assert_eq!(with_jobs.most_at_once(), 8);
    }
}
