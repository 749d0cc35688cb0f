//! Finds the name that a mistyped one was meant to be.

/// Minimum similarity of a suggested name, where 1 means equal.
const NEAR: f64 = 0.75;

/// The name most similar to `mistyped`, if any is similar enough.
pub fn nearest<'a>(mistyped: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(mistyped, name);
    let names = names.into_iter().map(|name| (likeness(name), name));
    let nearest = names.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest
        .filter(|(likeness, _)| *likeness >= NEAR)
        .map(|(_, name)| name)
}
