//! Times as manifests have them.

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::de::{Deserialize as _, Deserializer, Error as _};

/// Python's `isoformat()`, with a zone or without: the legacy scripts wrote the time of their own clock,
/// which is taken for UTC. The last day that can be written has hours after the last timestamp.
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
