//! Which flags a subcommand takes: its help lists exactly these, and typed flags are checked
//! against the same list.
//!
//! In clap, a flag belongs to one level or to all of them. Here every flag can be typed before or
//! after any subcommand, and is hidden where it has no meaning, so that it can be refused with a
//! reason.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser, ValueHint};

use serde::Serialize;

use super::defaults::with_default;
use crate::failure::Failure;
use crate::settings::{CommonArgs, S3Args, default_texts, is_of, old_flags};

/// The command line of a tool.
pub trait CommandLine: Parser {
    /// The flag that names what is moved, for whoever types only its value.
    const INPUT: &'static str;

    /// The default settings; a flag that is a setting has the name of its field as id.
    fn defaults() -> impl Serialize;

    /// Whether the flag with this id means anything to `verb`, which is a subcommand or a flag that
    /// acts as one, or to the tool without either.
    fn takes(verb: Option<&str>, flag: &str) -> bool;
}

/// What `--version` says: version, commit if it is certain, and target.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LOB_BUILD"), ")");

/// The command line of a tool, with the flags that each subcommand takes and the defaults of the
/// settings.
pub fn command<A: CommandLine>() -> Command {
    let of_tool = A::command().version(VERSION);
    let tool = of_tool.get_name().trim_start_matches("lob-").to_owned();
    let defaults = default_texts(&A::defaults());
    let of_tool = of_tool.mut_args(|flag| {
        let old = old_flags(&tool, flag.get_id().as_str());
        with_value_hint(with_default(flag.aliases(old), &defaults))
    });
    let flags: Vec<_> = of_tool.get_arguments().cloned().collect();
    let verbs: Vec<_> = of_tool
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    let mut command = of_tool.mut_args(|flag| {
        let is_hidden = flag.is_hide_set() || !A::takes(None, flag.get_id().as_str());
        flag.hide(is_hidden)
    });
    for verb in verbs {
        let flags = flags.iter().cloned().map(|flag| {
            let is_hidden = flag.is_hide_set() || !A::takes(Some(&verb), flag.get_id().as_str());
            flag.global(true).hide(is_hidden)
        });
        command = command.mut_subcommand(&verb, |verb| verb.mut_args(with_value_hint).args(flags));
    }
    command
}

/// Shells complete file names for the values of `flag` only if these are paths.
fn with_value_hint(flag: Arg) -> Arg {
    match flag.get_value_hint() {
        ValueHint::Unknown if flag.get_action().takes_values() => flag.value_hint(ValueHint::Other),
        _ => flag,
    }
}

/// Refuses flags that have no meaning for this command: whoever types one expects an effect.
///
/// # Errors
/// A flag without a meaning was typed.
pub(super) fn check<A: CommandLine>(typed: &ArgMatches) -> Result<(), Failure> {
    let (verb, of_tool) = (typed.subcommand_name(), A::command());
    let mut flags = of_tool.get_arguments().filter(|flag| {
        let id = flag.get_id().as_str();
        typed.value_source(id) == Some(ValueSource::CommandLine) && !A::takes(verb, id)
    });
    match flags.next() {
        None => Ok(()),
        Some(flag) => Err(Failure::usage(format!(
            "--{} cannot be used {}",
            flag.get_long().unwrap_or_default(),
            match verb {
                Some(verb) => format!("with `{verb}`"),
                None => "without a command".to_owned(),
            }
        ))),
    }
}

/// Whether `flag` is taken by every command that talks to S3.
pub fn is_of_s3(flag: &str) -> bool {
    is_of::<S3Args>(flag) || is_of::<CommonArgs>(flag)
}
