//! Size limits for the columns and the pieces of a data file: writers stay within them, readers reject
//! anything larger.

/// Maximum number of leaf columns in a split.
pub const MAX_COLUMNS: usize = 16_384;
/// Maximum number of elements in the schema of a data file's columns: groups and leaves.
pub(crate) const MAX_ELEMENTS: usize = 8 * MAX_COLUMNS;
/// Maximum nesting depth of lists, maps and structs.
pub const MAX_NESTING: usize = 32;
/// Maximum length of a column name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 255;
/// Maximum total length of all leaf paths, in bytes: each row group repeats them in the footer.
pub(crate) const MAX_PATH_BYTES: usize = 1 << 20;
/// Maximum number of digits in a decimal column.
pub(crate) const MAX_DECIMAL_DIGITS: u8 = 38;

/// Take a row group before [`Encoder::pending_bytes`](crate::Encoder::pending_bytes) reaches this.
/// Twice this size is rejected, so that readers can bound their memory.
pub const MAX_ROW_GROUP_BYTES: usize = 128 << 20;
/// Largest footer that is read.
pub(crate) const MAX_FOOTER_BYTES: usize = 64 << 20;
/// Maximum bytes of learned orders, as JSON, in a footer.
pub(crate) const MAX_ORDERS_BYTES: usize = 1 << 20;
/// Maximum bytes of a smallest or largest value in the footer.
pub(crate) const MAX_STATISTIC_BYTES: u64 = 64;
