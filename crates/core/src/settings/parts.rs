//! How files are cut into parts on their way to S3: the settings of the tools that write files, and
//! their flags.

use std::num::NonZeroUsize;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::byte_size::ByteSize;
use super::whole;

/// S3's limits: the minimum size of any part but the last, and the maximum size of a part.
pub(crate) const PART_SIZE_RANGE: (ByteSize, ByteSize) = (ByteSize::mib(5), ByteSize::gib(5));

/// S3's limit on the number of parts of one upload.
pub const MAX_PARTS: u64 = 10_000;

/// How large parts are, and how many bytes of them may be in memory at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSettings {
    /// Size of one part of a multipart upload; every part in flight is held in memory.
    pub part_size: ByteSize,
    /// Bytes of parts that may be in memory at once, over all files.
    pub buffer_size: ByteSize,
    /// Parts, and files sent in one request, that are sent at once over all files; fewer while the
    /// server asks for fewer.
    pub parts_in_flight: NonZeroUsize,
    /// Bytes per second that are sent, downloaded or read from MongoDB, each counted separately and
    /// over all files; `None` means no limit.
    pub max_bandwidth: Option<ByteSize>,
}

impl PartSettings {
    /// The defaults. Parts of 100 MB, as in the legacy helper module, would take too much memory.
    pub fn defaults() -> Self {
        Self {
            part_size: ByteSize::mib(8),
            buffer_size: ByteSize::mib(64),
            parts_in_flight: const { NonZeroUsize::new(8).unwrap() },
            max_bandwidth: None,
        }
    }

    /// The parts to send at once: as set, or fewer if they share a bandwidth of which so many would
    /// each take long. What is not acknowledged when a process stops is sent again.
    pub(crate) fn parts_in_flight_at_pace(&self) -> NonZeroUsize {
        let Some(bandwidth) = self.max_bandwidth else {
            return self.parts_in_flight;
        };
        let at_pace = bandwidth.0.saturating_mul(SECONDS_IN_FLIGHT) / self.part_size.0.max(1);
        let at_pace = usize::try_from(at_pace).unwrap_or(usize::MAX).max(2);
        let at_pace = NonZeroUsize::new(at_pace).unwrap_or(self.parts_in_flight);
        self.parts_in_flight.min(at_pace)
    }
}

/// How long a part takes at the bandwidth that is set, if the others take as long.
const SECONDS_IN_FLIGHT: u64 = 4;

/// The flags for [`PartSettings`].
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "S3")]
pub struct PartArgs {
    /// Size of one part of a multipart upload, 5 MiB to 5 GiB
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_size: Option<ByteSize>,
    /// Most bytes of parts to hold in memory, over all files
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<ByteSize>,
    /// Parts to send at once, over all files; fewer while S3 asks to slow down
    #[arg(long, value_name = "COUNT", value_parser = whole::<NonZeroUsize>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_in_flight: Option<NonZeroUsize>,
    /// Most bytes per second to send to S3, to download and to read from MongoDB, each over all
    /// files, such as `50MiB` [default: no limit]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bandwidth: Option<ByteSize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_parts_share_a_low_bandwidth() {
        let at = |max_bandwidth| {
            let settings = PartSettings {
                max_bandwidth,
                ..PartSettings::defaults()
            };
            settings.parts_in_flight_at_pace().get()
        };
        let mib = |mib| Some(ByteSize::mib(mib));
        assert_eq!([mib(1), mib(6), mib(100), None].map(at), [2, 3, 8, 8]);
    }
}
