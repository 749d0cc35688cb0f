//! The path by which people refer to a column: `legs[].price`, `book.*`. The counts of a run, the
//! flags `--map` and `--struct`, and the columns of the next run all use it.

/// A field of the document at `path`, which is empty for the top level.
pub(crate) fn of_field(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The elements of the array at `path`.
pub(crate) fn of_elements(path: &str) -> String {
    format!("{path}[]")
}

/// The values of the map at `path`.
pub(crate) fn of_values(path: &str) -> String {
    format!("{path}.*")
}
