//! Size limits for the pieces of a data file: writers stay within them, readers reject anything
//! larger.

/// Take a row group before [`Encoder::pending_bytes`](crate::Encoder::pending_bytes) reaches this.
/// Twice this size is rejected, so that readers can bound their memory.
pub const MAX_ROW_GROUP_BYTES: usize = 128 << 20;
/// Largest footer that is read.
pub(crate) const MAX_FOOTER_BYTES: usize = 64 << 20;
/// Maximum bytes of learned orders, as JSON, in a footer.
pub(crate) const MAX_ORDERS_BYTES: usize = 1 << 20;
/// Maximum bytes of a smallest or largest value in the footer.
pub(crate) const MAX_STATISTIC_BYTES: u64 = 64;
