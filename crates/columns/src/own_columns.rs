//! The columns of ours in a data file, and which names are taken for theirs.

/// What names of columns of ours begin with: no field has a column of such a name.
pub(crate) const OWN_PREFIX: &str = "_lob_";
/// The column that says how a row deviates from what its columns say; null for almost all rows.
pub const DIFF_COLUMN: &str = "_lob_diff";
/// The column that keeps the elements of a row that no column holds; null where there are none.
pub const BSON_COLUMN: &str = "_lob_bson";
/// The MAP of top-level fields that have no column of their own.
pub(crate) const REST_COLUMN: &str = "_lob_fields";
/// Stands in a struct none of whose fields ever had a value: Parquet has no empty groups.
pub(crate) const EMPTY_COLUMN: &str = "_lob_empty";

/// Whether a reader could take `name` for a column of ours.
pub fn is_own_name(name: &str) -> bool {
    fold(name).starts_with(OWN_PREFIX)
}

/// Spark and DuckDB take names that differ in case alone for the same column.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}
