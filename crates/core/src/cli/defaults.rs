//! The defaults in a help text: taken from the settings, so that no help repeats a value that the
//! code may change.
//!
//! A default that is no value, such as the time for a run id, is written in words in the help.

use std::collections::BTreeMap;

use clap::Arg;

/// How a help text begins to name a default.
const MARK: &str = "[default: ";

/// `flag`, whose help ends with its value in `defaults` unless it names the default in words.
pub(super) fn with_default(flag: Arg, defaults: &BTreeMap<String, String>) -> Arg {
    let (value, help) = (defaults.get(flag.get_id().as_str()), flag.get_help());
    let (Some(value), Some(help)) = (value, help.map(ToString::to_string)) else {
        return flag;
    };
    if help.contains(MARK) {
        return flag;
    }
    let with_default = format!("{help} {MARK}{value}]");
    // A long help begins with the short one.
    let long = flag.get_long_help().map(ToString::to_string);
    let flag = match long.as_deref().and_then(|long| long.strip_prefix(&help)) {
        Some(rest) => flag.long_help(format!("{with_default}{rest}")),
        None => flag,
    };
    flag.help(with_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helps(flag: Arg) -> [String; 2] {
        let defaults = BTreeMap::from([("size".to_owned(), "8MiB".to_owned())]);
        let flag = with_default(flag, &defaults);
        [flag.get_help(), flag.get_long_help()]
            .map(|help| help.map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn a_help_names_the_default_once_at_the_end_of_its_first_paragraph() {
        let flag = Arg::new("size").help("Size").long_help("Size\n\nMore.");
        let with_default = "Size [default: 8MiB]";
        assert_eq!(helps(flag), [with_default, "Size [default: 8MiB]\n\nMore."]);
        assert_eq!(helps(Arg::new("size").help("Size")), [with_default, ""]);
        let in_words = "Size [default: the system's]";
        assert_eq!(helps(Arg::new("size").help(in_words)), [in_words, ""]);
        assert_eq!(helps(Arg::new("bucket").help("Bucket")), ["Bucket", ""]);
    }
}
