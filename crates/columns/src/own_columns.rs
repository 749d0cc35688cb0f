//! The columns that lob-tools adds to a data file, and the names reserved for them.

/// Prefix of our own columns' names: no field gets a column with such a name.
pub(crate) const OWN_PREFIX: &str = "_lob_";
/// The column that says how a row deviates from its columns; null for almost all rows.
pub const DIFF_COLUMN: &str = "_lob_diff";
/// The column for elements of a row that no other column holds; null if there are none.
pub const BSON_COLUMN: &str = "_lob_bson";
/// The MAP of top-level fields that have no column of their own.
pub(crate) const REST_COLUMN: &str = "_lob_fields";
/// Placeholder in a struct whose fields never have a value: Parquet has no empty groups.
pub(crate) const EMPTY_COLUMN: &str = "_lob_empty";

/// Whether a reader could take `name` for one of our own columns.
pub fn is_own_name(name: &str) -> bool {
    fold(name).starts_with(OWN_PREFIX)
}

/// Spark and DuckDB treat names that differ only in case as the same column.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}
