//! Each hint that names a command is followed to the letter by a test.

use crate::files::{SHIPPED, SourceFile, files, none};

#[test]
fn every_hint_that_names_a_command_is_followed_by_a_test() {
    let files = files();
    let tests = files.iter().filter(|file| file.is_rust() && file.is_test());
    let followed: Vec<_> = tests
        .flat_map(|file| {
            let calls = file.text.split("follow").skip(1);
            let calls = calls.filter(|call| call.starts_with('(') || call.starts_with("ed("));
            calls.filter_map(|call| literals(call.split(';').next()?).pop())
        })
        .collect();
    let names_a_command = |text: &String| {
        let is_command = text.contains("same command") || text.contains("`lob-");
        is_command && !text.contains("would fail again")
    };
    let mut breaches = Vec::new();
    let shipped = |file: &&SourceFile| {
        let is_shipped = SHIPPED.iter().any(|name| file.is_of(name));
        is_shipped && file.is_rust() && !file.is_test()
    };
    for file in files.iter().filter(shipped) {
        let code: Vec<_> = file.text.lines().take(file.code_lines()).collect();
        let texts = literals(&code.join("\n")).into_iter();
        let hints = texts.filter(names_a_command);
        let untested = hints.filter(|hint| !followed.iter().any(|text| hint.contains(text)));
        breaches.extend(untested.map(|hint| format!("{}: {hint}", file.path)));
    }
    none(
        "a hint that names a command is followed by a test:",
        breaches,
    );
}

/// The string literals in Rust code, with continued lines joined.
fn literals(code: &str) -> Vec<String> {
    let lines = code.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.starts_with("//"));
    // Neither an escaped quote nor a continued line ends a literal.
    let code = lines.collect::<Vec<_>>().join("\n");
    let code = code.replace("\\\"", "'").replace("\\\n", "");
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}
