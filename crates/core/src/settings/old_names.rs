//! Former names of settings. They keep working as flags, as variables and in a file, but neither
//! the help nor the documents mention them.

use figment::value::Dict;

use super::keys::variable;
use crate::failure::Failure;

/// A former name.
struct OldName {
    tool: &'static str,
    key: &'static str,
    flag: &'static str,
    /// The key of today.
    new: &'static str,
}

const OLD_NAMES: [OldName; 2] = [
    OldName {
        tool: "upload",
        key: "concurrency",
        flag: "concurrency",
        new: "jobs",
    },
    OldName {
        tool: "import",
        key: "insert_workers",
        flag: "insert-workers",
        new: "jobs",
    },
];

fn names_of(tool: &str) -> impl Iterator<Item = &'static OldName> {
    OLD_NAMES.iter().filter(move |old| old.tool == tool)
}

/// The old keys of a tool's settings, each with its new one.
pub(super) fn of_tool(tool: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    names_of(tool).map(|old| (old.key, old.new))
}

/// The old flags of a tool's setting, without `--`.
pub(crate) fn flags(tool: &str, key: &str) -> Vec<&'static str> {
    let names = names_of(tool).filter(|old| old.new == key);
    names.map(|old| old.flag).collect()
}

/// Whether `key` is an old name valid in the section of `tool`, or at the top level of a file.
pub(super) fn is_known(key: &str, tool: Option<&str>) -> bool {
    let mut names = OLD_NAMES.iter();
    names.any(|old| old.key == key && tool.is_none_or(|tool| tool == old.tool))
}

/// Whether this environment variable is the old name of a setting.
pub(super) fn is_variable(name: &str) -> bool {
    OLD_NAMES.iter().any(|OldName { tool, key, .. }| {
        let prefix = variable("LOB_", &format!("{tool}_"));
        [variable("LOB_", key), variable(&prefix, key)].contains(&name.to_owned())
    })
}

/// Renames the old settings of a tool at the top level of a file. There the old name wins over the
/// new one, which may be meant for another tool.
pub(super) fn rename_shared(values: &mut Dict, tool: &str) {
    for (old, new) in of_tool(tool) {
        if let Some(value) = values.remove(old) {
            values.insert(new.to_owned(), value);
        }
    }
}

/// Renames the old settings of a tool in its section of a file.
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
