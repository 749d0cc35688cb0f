//! Former names of settings. They keep working as flags, as variables and in a file, but neither
//! the help nor the documents mention them.

use figment::value::Dict;

use super::keys::variable;
use crate::failure::Failure;

/// The tool, the old name of its setting (a single word, used for its flag too), and the new name.
const OLD_NAMES: [(&str, &str, &str); 1] = [("upload", "concurrency", "jobs")];

/// The old names of a tool's settings, each with its new name.
pub(super) fn of_tool(tool: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = OLD_NAMES.into_iter().filter(move |(of, ..)| *of == tool);
    names.map(|(_, old, new)| (old, new))
}

/// The old flags of a tool's setting, without `--`.
pub(crate) fn flags(tool: &str, key: &str) -> Vec<&'static str> {
    let names = of_tool(tool).filter(|(_, new)| *new == key);
    names.map(|(old, _)| old).collect()
}

/// Whether `key` is an old name valid in the section of `tool`, or at the top level of a file.
pub(super) fn is_known(key: &str, tool: Option<&str>) -> bool {
    let mut names = OLD_NAMES.iter();
    names.any(|(of, old, _)| *old == key && tool.is_none_or(|tool| tool == *of))
}

/// Whether this environment variable is the old name of a setting.
pub(super) fn is_variable(name: &str) -> bool {
    OLD_NAMES.iter().any(|(tool, old, _)| {
        let prefix = variable("LOB_", &format!("{tool}_"));
        [variable("LOB_", old), variable(&prefix, old)].contains(&name.to_owned())
    })
}

/// Renames the old settings of a tool in one place of a file.
///
/// # Errors
/// A setting is there under both names.
pub(super) fn rename(values: &mut Dict, tool: &str, place: &str) -> Result<(), Failure> {
    for (old, new) in of_tool(tool) {
        let Some(value) = values.remove(old) else {
            continue;
        };
        if values.insert(new.to_owned(), value).is_some() {
            let names = format!("`{new}` and `{old}` of {place}");
            return Err(both(&names, old));
        }
    }
    Ok(())
}

/// Refuses a setting that is given under both its old and its new name.
pub(super) fn both(names: &str, old: &str) -> Failure {
    let message = format!("{names} are the same setting");
    Failure::usage(message).with_hint(format!("remove `{old}`, the old name"))
}
