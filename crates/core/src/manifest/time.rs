//! Times as written in manifests.

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::de::{Deserialize as _, Deserializer, Error as _};

/// Parses Python's `isoformat()`, with or without a zone: the legacy scripts wrote the local time
/// of their clock, which is taken as UTC. The last day that can be written has hours beyond the
/// last timestamp.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, jiff::Error> {
    let pieces = Pieces::parse(text)?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    let zone = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    let end = match local.year() > 0 {
        true => Timestamp::MAX,
        false => Timestamp::MIN,
    };
    Ok(zone.to_timestamp(local).unwrap_or(end))
}

/// Reads a time for serde.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    timestamp(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
