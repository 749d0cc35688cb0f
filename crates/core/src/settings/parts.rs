//! How files are cut into parts on their way to S3: the settings of the tools that write files, and
//! their flags.

use std::num::NonZeroUsize;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::byte_size::ByteSize;
use super::{optional_number, whole};

/// S3's limits: the minimum size of any part but the last, and the maximum size of a part.
pub(crate) const PART_SIZE_RANGE: (ByteSize, ByteSize) = (ByteSize::mib(5), ByteSize::gib(5));

/// S3's limit on the number of parts of one upload.
pub const MAX_PARTS: u64 = 10_000;

/// The most bytes that an object can have: as many parts as possible, each as large as possible.
pub const MAX_OBJECT_BYTES: u64 = MAX_PARTS * PART_SIZE_RANGE.1.0;

/// The size of parts if the file must not depend on the machine.
pub const PART_SIZE: ByteSize = ByteSize::mib(8);

/// As many parts fit into memory if their size is not set: small parts fill many slow connections,
/// large ones need few requests.
const PARTS_IN_MEMORY: u64 = 64;
/// The range for a size that is not set: from S3's minimum to what saves no more requests worth
/// counting.
const OWN_PART_SIZES: (ByteSize, ByteSize) = (PART_SIZE_RANGE.0, ByteSize::mib(16));

/// How files are cut into parts, as far as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSettings {
    /// Size of one part of a multipart upload; every part in flight is held in memory.
    pub part_size: Option<ByteSize>,
    /// Bytes of parts that may be in memory at once, over all files.
    pub buffer_size: Option<ByteSize>,
    /// Parts, and files sent in one request, that are sent at once over all files; fewer while the
    /// server asks for fewer.
    #[serde(deserialize_with = "optional_number")]
    pub parts_in_flight: Option<NonZeroUsize>,
    /// Bytes per second that are sent, downloaded or read from MongoDB, each counted separately and
    /// over all files; `None` means no limit.
    pub max_bandwidth: Option<ByteSize>,
}

/// How large parts are, and how many of them there may be at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLimits {
    /// Size of one part of a multipart upload.
    pub part_size: ByteSize,
    /// Bytes of parts that may be in memory at once, over all files.
    pub buffer_size: ByteSize,
    /// Bodies of requests that are under way at once at first.
    pub at_first: NonZeroUsize,
    /// Most of them.
    pub in_flight: NonZeroUsize,
    /// Bytes per second in each direction.
    pub max_bandwidth: Option<ByteSize>,
}

impl PartSettings {
    /// What is set, and for the rest what fits into `memory`.
    pub fn within(&self, memory: ByteSize) -> PartLimits {
        // A part size that is set takes what it needs: one part is filled while another is sent.
        let needed = self.part_size.map_or(0, |size| size.0.saturating_mul(2));
        let buffer_size = self.buffer_size.unwrap_or(memory.max(ByteSize(needed)));
        let part_size = self.part_size.unwrap_or_else(|| {
            let share = ByteSize::mib((buffer_size.0 / PARTS_IN_MEMORY) >> 20);
            share.clamp(OWN_PART_SIZES.0, OWN_PART_SIZES.1)
        });
        let in_memory = (buffer_size.0 / part_size.0.max(1)).max(1);
        let (at_first, in_flight) = match self.parts_in_flight {
            Some(set) => (set, set.get() as u64),
            None => (FIRST_IN_FLIGHT, in_memory.min(MOST_IN_FLIGHT)),
        };
        // Many parts that share a low bandwidth would each take long, and what is not acknowledged
        // when a process stops is sent again.
        let at_pace = self.max_bandwidth.map(|rate| at_pace(rate, part_size.0));
        let in_flight = usize::try_from(in_flight.min(at_pace.unwrap_or(u64::MAX)));
        let in_flight = in_flight.ok().and_then(NonZeroUsize::new);
        let in_flight = in_flight.unwrap_or(NonZeroUsize::MIN);
        PartLimits {
            part_size,
            buffer_size,
            at_first: at_first.min(in_flight),
            in_flight,
            max_bandwidth: self.max_bandwidth,
        }
    }
}

/// Most bodies under way if their number is not set: each takes a connection and an open file, of
/// which a process often has 1024.
const MOST_IN_FLIGHT: u64 = 256;
/// Bodies under way at first if their number is not set: these fill a link between machines of one
/// data centre.
pub(crate) const FIRST_IN_FLIGHT: NonZeroUsize = const { NonZeroUsize::new(4).unwrap() };

/// How many transfers of `size` bytes share a bandwidth at which each takes some seconds; at least
/// two.
pub fn at_pace(bandwidth: ByteSize, size: u64) -> u64 {
    (bandwidth.0.saturating_mul(SECONDS_IN_FLIGHT) / size.max(1)).max(2)
}

/// How long a part takes at the bandwidth that is set, if the others take as long.
const SECONDS_IN_FLIGHT: u64 = 4;

/// The flags for [`PartSettings`].
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "S3")]
pub struct PartArgs {
    /// Size of one part of a multipart upload, 5 MiB to 5 GiB [default: by --memory]
    #[arg(long, value_name = "SIZE")]
    pub part_size: Option<ByteSize>,
    /// Most bytes of parts to hold in memory, over all files [default: by --memory]
    #[arg(long, value_name = "SIZE")]
    pub buffer_size: Option<ByteSize>,
    /// Parts to send at once, over all files; fewer while S3 asks to slow down [default: 4 at first,
    /// then as many as are of use and fit into --memory]
    #[arg(long, value_name = "COUNT", value_parser = whole::<NonZeroUsize>)]
    pub parts_in_flight: Option<NonZeroUsize>,
    /// Most bytes per second to send to S3, to download and to read from MongoDB, each over all
    /// files, such as `50MiB` [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub max_bandwidth: Option<ByteSize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_flight(settings: &PartSettings, mib: u64) -> usize {
        settings.within(ByteSize::mib(mib)).in_flight.get()
    }

    #[test]
    fn parts_are_as_large_as_lets_many_fit_into_memory() {
        let of = |mib| {
            let limits = PartSettings::default().within(ByteSize::mib(mib));
            (limits.part_size.0 >> 20, limits.in_flight.get())
        };
        assert_eq!(of(20), (5, 4));
        let set = PartSettings {
            part_size: Some(ByteSize::mib(100)),
            ..PartSettings::default()
        };
        assert_eq!(
            set.within(ByteSize::mib(20)).buffer_size,
            ByteSize::mib(200)
        );
        assert_eq!(of(104), (5, 20));
        assert_eq!(of(488), (7, 69));
        assert_eq!(of(4096), (16, 256));
    }

    #[test]
    fn few_parts_share_a_low_bandwidth() {
        let at = |max_bandwidth| {
            let settings = PartSettings {
                part_size: Some(PART_SIZE),
                parts_in_flight: NonZeroUsize::new(8),
                max_bandwidth,
                ..PartSettings::default()
            };
            in_flight(&settings, 64)
        };
        let mib = |mib| Some(ByteSize::mib(mib));
        assert_eq!([mib(1), mib(6), mib(100), None].map(at), [2, 3, 8, 8]);
    }
}
