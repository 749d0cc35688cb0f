//! The flags that were typed, for the commands in hints: a command copied as it stands reaches the
//! same bucket and database. Settings from variables and files apply to the next command anyway.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::CommandLine;
use crate::settings::{CommonArgs, is_of};

/// The flags that were typed, quoted for a shell.
#[derive(Debug, Clone)]
pub struct Typed {
    flags: Vec<Flag>,
    takes: fn(Option<&str>, &str) -> bool,
}

#[derive(Debug, Clone)]
struct Flag {
    id: String,
    name: String,
    /// The name before each of its values; a secret is replaced by a word in capitals.
    text: String,
}

impl Typed {
    pub(super) fn of<A: CommandLine>(typed: &ArgMatches) -> Self {
        Self {
            flags: flags(&A::command(), typed),
            takes: A::takes,
        }
    }

    /// `command` of this tool, with those of the typed flags that it takes. `command` is written as
    /// it would be typed; its second word says what it does.
    pub fn command(&self, command: &str) -> String {
        self.command_with(command, |_| true)
    }

    /// The same, with only those flags for which `is_said` returns true.
    pub fn command_with(&self, command: &str, is_said: impl Fn(&str) -> bool) -> String {
        let verb = command.split(' ').nth(1).unwrap_or_default();
        let verb = verb.trim_start_matches('-');
        let is_named = |flag: &Flag| command.split(' ').any(|word| word == flag.name);
        let flags = self.flags.iter().filter(|flag| {
            let is_of_output = is_of::<CommonArgs>(&flag.id) && flag.id != "config";
            // A command names its run itself, by an operand or a flag.
            let is_of_run = flag.id == "run_id";
            !is_of_output
                && !is_of_run
                && !is_named(flag)
                && (self.takes)(Some(verb), &flag.id)
                && is_said(&flag.id)
        });
        flags.fold(command.to_owned(), |command, flag| command + &flag.text)
    }
}

fn flags(of_tool: &Command, typed: &ArgMatches) -> Vec<Flag> {
    let is_typed =
        |flag: &&Arg| typed.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine);
    let flags = of_tool.get_arguments().filter(is_typed);
    let flags = flags.filter_map(|flag| {
        let (id, name) = (flag.get_id().to_string(), format!("--{}", flag.get_long()?));
        let text = match flag.get_action().takes_values() {
            false => format!(" {name}"),
            true => {
                let values = typed.get_raw(&id).into_iter().flatten();
                let shown = values.map(|value| {
                    let value = value.to_string_lossy();
                    match may_be_secret(&value) {
                        true => format!(" {name} {}", placeholder(flag)),
                        false if value.starts_with('-') => format!(" {name}={}", quoted(&value)),
                        false => format!(" {name} {}", quoted(&value)),
                    }
                });
                shown.collect()
            }
        };
        Some(Flag { id, name, text })
    });
    flags.collect()
}

/// Whether a value may contain a secret, as user information and some options of an address do.
fn may_be_secret(value: &str) -> bool {
    let value = value.to_lowercase();
    value.contains('@')
        || ["password", "properties"]
            .iter()
            .any(|word| value.contains(word))
}

fn placeholder(flag: &Arg) -> &str {
    let names = flag.get_value_names().unwrap_or_default();
    names.first().map_or("VALUE", |name| name.as_str())
}

/// Quotes a word for a shell.
pub(super) fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+%".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::command;
    use crate::settings::S3Args;

    #[derive(Parser)]
    #[command(name = "lob-tool")]
    struct Tool {
        #[command(subcommand)]
        _verb: Option<Verb>,
        #[arg(long)]
        metadata: Vec<String>,
        #[command(flatten)]
        _s3: S3Args,
        #[command(flatten)]
        _common: CommonArgs,
    }

    #[derive(clap::Subcommand)]
    enum Verb {
        Cleanup,
    }

    impl CommandLine for Tool {
        const INPUT: &'static str = "--metadata";

        fn defaults() -> impl serde::Serialize {
            crate::settings::S3Settings::defaults("runs")
        }

        fn takes(verb: Option<&str>, flag: &str) -> bool {
            verb.is_none_or(|verb| verb == "resume") || crate::cli::is_of_s3(flag)
        }
    }

    fn hinted(typed: &[&str], named: &str) -> String {
        let words = ["lob-tool"].iter().chain(typed);
        let typed = command::<Tool>().try_get_matches_from(words).unwrap();
        Typed::of::<Tool>(&typed).command(named)
    }

    #[test]
    fn a_suggested_command_repeats_the_typed_flags_that_it_takes() {
        let typed = [
            "--bucket",
            "b",
            "--json",
            "cleanup",
            "--metadata",
            "a=it's",
            "--config",
            "my settings.toml",
            "--metadata=-x",
        ];
        assert_eq!(
            hinted(&typed, "lob-tool cleanup r1 --yes"),
            "lob-tool cleanup r1 --yes --bucket b --config 'my settings.toml'"
        );
        assert_eq!(
            hinted(&typed, "lob-tool resume --bucket c"),
            "lob-tool resume --bucket c --metadata 'a=it'\\''s' --metadata=-x \
             --config 'my settings.toml'"
        );
        assert_eq!(hinted(&[], "lob-tool cleanup r1"), "lob-tool cleanup r1");
    }

    #[test]
    fn a_suggested_command_contains_no_typed_secret() {
        for (url, told) in [
            ("http://h:1/?replicaSet=rs", "'http://h:1/?replicaSet=rs'"),
            ("http://user:pw@h:1", "URL"),
            ("http://h:1/?proxyPassword=pw", "URL"),
        ] {
            let command = hinted(&["--endpoint-url", url], "lob-tool cleanup r1");
            assert_eq!(
                command,
                format!("lob-tool cleanup r1 --endpoint-url {told}")
            );
        }
    }
}
