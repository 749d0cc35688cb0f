//! How large the pieces of a data file may be. Who writes keeps to them, who reads refuses more.

/// Take a row group before [`Encoder::pending_bytes`](crate::Encoder::pending_bytes) reaches this.
/// Twice as much is refused, so that a reader can bound its memory.
pub const MAX_ROW_GROUP_BYTES: usize = 128 << 20;
/// Largest footer that is read.
pub(crate) const MAX_FOOTER_BYTES: usize = 64 << 20;
/// Most bytes of learned orders, as JSON, in a footer.
pub(crate) const MAX_ORDERS_BYTES: usize = 1 << 20;
/// Most bytes of the smallest and of the largest value, each, in the footer.
pub(crate) const MAX_STATISTIC_BYTES: u64 = 64;
