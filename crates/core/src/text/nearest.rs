//! Finds the name that a mistyped one was meant to be.

/// Minimum similarity of a suggested name, where 1 means equal.
const NEAR: f64 = 0.75;

/// The name most similar to `mistyped`, if any is similar enough or one slip away: a letter that is
/// wrong, missing, doubled or swapped.
pub fn nearest<'a>(mistyped: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(mistyped, name);
    let names = names.into_iter().map(|name| (likeness(name), name));
    let nearest = names.max_by(|(one, _), (other, _)| one.total_cmp(other));
    let is_one_slip = |name: &str| strsim::damerau_levenshtein(mistyped, name) <= 1;
    nearest
        .filter(|(likeness, name)| *likeness >= NEAR || is_one_slip(name))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_in_a_short_name_is_near() {
        for mistyped in ["tsl", "tl", "tlss", "tla"] {
            assert_eq!(nearest(mistyped, ["w", "tls"]), Some("tls"), "{mistyped}");
        }
        assert_eq!(nearest("safe", ["w", "tls"]), None);
    }
}
