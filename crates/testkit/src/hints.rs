//! Follows the commands that hints suggest, just as a person would type them: a hint that does not
//! help is a bug.

use std::process::Command;

/// What a person would type to follow the hint containing `fragment`, after a command with these
/// `args` printed `stderr`. `other` is the run id to use if the hint asks for another run.
///
/// # Panics
/// If there is no such hint, or it names no command.
#[track_caller]
pub fn follow(args: &[&str], stderr: &str, other: &str, fragment: &str) -> Vec<String> {
    let hints = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("hint: "));
    let hint = hints.into_iter().find(|hint| hint.contains(fragment));
    let hint = hint.unwrap_or_else(|| panic!("no hint says `{fragment}`: {stderr}"));
    // A hint may name more than one command.
    let clause = hint.split("; ").find(|clause| clause.contains(fragment));
    let clause = clause.unwrap_or(hint);
    let mut quoted = clause.split('`').skip(1).step_by(2);
    if let Some(command) = quoted.clone().find(|text| text.starts_with("lob-")) {
        return words(command).split_off(1);
    }
    assert!(clause.contains("command"), "`{hint}` names no command");
    let options: Vec<_> = quoted
        .find(|text| text.starts_with("--"))
        .map_or(Vec::new(), |options| options.split(' ').collect());
    let mut command: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    for option in options.chunks(2) {
        set(&mut command, option[0], option[1]);
    }
    if clause.contains("another `--run-id`") {
        set(&mut command, "--run-id", other);
    }
    command
}

/// Splits a command into words the way a shell does.
///
/// # Panics
/// If there is no shell.
pub fn words(command: &str) -> Vec<String> {
    let script = format!("printf '%s\\n' {command}");
    let shell = Command::new("sh").args(["-c", &script]).output();
    let printed = shell.map(|shell| String::from_utf8_lossy(&shell.stdout).into_owned());
    let printed = printed.unwrap_or_else(|error| panic!("no shell: {error}"));
    printed.lines().map(str::to_owned).collect()
}

/// Replaces an option's value, or adds the option.
fn set(command: &mut Vec<String>, option: &str, value: &str) {
    match command.iter().position(|arg| arg == option) {
        Some(place) => command[place + 1] = value.to_owned(),
        None => command.extend([option.to_owned(), value.to_owned()]),
    }
}
