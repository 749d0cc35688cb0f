//! The name that a mistyped one was meant to be.

/// The nearest name is suggested if it is at least so near, of 1.
const NEAR: f64 = 0.75;

/// The name that `mistyped` is most like, if it is like any.
pub fn nearest<'a>(mistyped: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(mistyped, name);
    let names = names.into_iter().map(|name| (likeness(name), name));
    let nearest = names.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest
        .filter(|(likeness, _)| *likeness >= NEAR)
        .map(|(_, name)| name)
}
