//! What a file contains: its first line, its length, its name, and what must not be left in it.

use crate::files::{SourceFile, TOOLS, files, none};

/// The maximum number of lines in a file outside its tests.
const MAX_LINES: usize = 400;
/// The maximum number of lines in a tool's `main.rs`.
const MAX_MAIN_LINES: usize = 20;

#[test]
fn every_file_opens_with_its_purpose() {
    let files = files().into_iter().filter(|file| file.is_rust());
    let breaches = files.filter(|file| !file.text.starts_with("//! "));
    none("no module doc in line 1:", breaches.map(|file| file.path));
}

#[test]
fn no_file_is_too_long() {
    let files = files()
        .into_iter()
        .filter(|file| file.is_rust() && !file.is_test());
    let breaches = files.filter(|file| {
        let main = TOOLS
            .iter()
            .any(|tool| file.path == format!("crates/{tool}/src/main.rs"));
        file.code_lines() > if main { MAX_MAIN_LINES } else { MAX_LINES }
    });
    let breaches = breaches.map(|file| format!("{}: {} lines", file.path, file.code_lines()));
    none("too long:", breaches);
}

#[test]
fn every_file_name_says_something() {
    let vague = [
        "mod.rs",
        "utils.rs",
        "util.rs",
        "types.rs",
        "helpers.rs",
        "common.rs",
        "misc.rs",
    ];
    let named = |file: &SourceFile| file.path.rsplit('/').next().map(str::to_owned);
    let breaches = files()
        .into_iter()
        .filter(|file| named(file).is_some_and(|name| vague.contains(&name.as_str())));
    none("a name without a meaning:", breaches.map(|file| file.path));
}

#[test]
fn nothing_is_left_for_later() {
    // Split, so that this file does not breach its own rule.
    let stubs = [
        concat!("to", "do!"),
        concat!("unimpl", "emented!"),
        concat!("db", "g!("),
        concat!("#[", "ignore"),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
    ];
    let files = files();
    let breaches = files
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| {
            let lines = (1..).zip(file.text.lines());
            let breaches = lines.filter(|(_, line)| stubs.iter().any(|stub| line.contains(stub)));
            breaches.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim()))
        });
    none("left for later:", breaches);
}

#[test]
fn unsafe_is_allowed_in_one_place() {
    let place = "crates/core/src/cli/allocator.rs";
    // Split, so that this file does not breach its own rule.
    let words = [concat!("uns", "afe_code"), concat!("uns", "afe {")];
    let rust = files().into_iter().filter(SourceFile::is_rust);
    let breaches =
        rust.filter(|file| file.path != place && words.iter().any(|word| file.text.contains(word)));
    none("unsafe code:", breaches.map(|file| file.path));
}

#[test]
fn no_file_mentions_a_path_on_someones_machine() {
    let folders = ["work", "tmp", "root", "home"].map(|name| format!("/{name}"));
    let files = files();
    let lines = files
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| {
            let lines = (1..).zip(file.text.lines());
            lines.map(move |(number, line)| (&file.path, number, line))
        });
    let breaches = lines.filter(|(_, _, line)| folders.iter().any(|folder| is_path(line, folder)));
    let breaches = breaches.map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()));
    none("a machine's path:", breaches);
}

/// Whether an absolute path in `line` starts with `folder`.
fn is_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-./}*~".contains(c));
        let rest = &line[at + folder.len()..];
        begins && !rest.starts_with(|c: char| c.is_alphanumeric() || "_-".contains(c))
    })
}
