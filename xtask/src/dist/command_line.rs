//! What is generated from a tool's command line: its man pages and its completions, in which the
//! flags that mean nothing to a command are left out, as in its help.

use anyhow::Context as _;
use clap::{ArgGroup, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use lob_core::cli::command;

/// A generated file.
pub(super) struct Generated {
    /// Its name, without folders.
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

/// The command line of a tool, as users see it.
pub(super) fn of(tool: &str) -> anyhow::Result<Command> {
    let command = match tool {
        "lob-upload" => command::<lob_upload::Args>(),
        "lob-export" => command::<lob_export::Args>(),
        "lob-import" => command::<lob_import::Args>(),
        _ => anyhow::bail!("there is no tool `{tool}`"),
    };
    // The man page of a version does not name the target that the page was made on.
    Ok(visible(&command, tool).version(env!("CARGO_PKG_VERSION")))
}

/// Commands and flags that help shows, and nothing else: generators do not heed `hide`.
fn visible(command: &Command, name: &str) -> Command {
    // Clap keeps names for as long as the process lives.
    let mut copy = Command::new(name.to_owned().leak() as &str).disable_help_subcommand(true);
    let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let hidden = command.get_arguments().filter(|flag| flag.is_hide_set());
    // A flag may conflict with a hidden one; an empty group of that name stands in for it.
    let hidden = hidden.map(|flag| ArgGroup::new(flag.get_id().clone()));
    copy = copy
        .args(shown.map(|flag| flag.clone().global(false)))
        .groups(hidden);
    copy = copy.allow_missing_positional(command.is_allow_missing_positional_set());
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    if let Some(about) = command.get_long_about() {
        copy = copy.long_about(about.clone());
    }
    let subcommands = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    copy.subcommands(subcommands.map(|verb| visible(verb, verb.get_name())))
}

/// The man pages: one of the tool, and one of each of its subcommands.
pub(super) fn man_pages(command: &Command) -> anyhow::Result<Vec<Generated>> {
    let mut command = command.clone();
    command.build();
    let mut pages = vec![man_page(command.clone())?];
    for verb in command.get_subcommands() {
        pages.push(man_page(verb.clone())?);
    }
    Ok(pages)
}

fn man_page(command: Command) -> anyhow::Result<Generated> {
    let page = Man::new(command).manual("lob-tools");
    let mut text = Vec::new();
    page.render(&mut text).context("no man page")?;
    Ok(Generated {
        name: page.get_filename(),
        text,
    })
}

/// The completions for a shell, under the name by which that shell finds them.
pub(super) fn completions(command: &Command, shell: Shell) -> Generated {
    let tool = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command.clone(), &tool, &mut text);
    let misspelt = misspelt(shell, &tool);
    let text = misspelt.iter().fold(
        String::from_utf8_lossy(&text).into_owned(),
        |text, (wrong, right)| text.replace(wrong, right),
    );
    let name = match shell {
        Shell::Zsh => format!("_{tool}"),
        Shell::Fish => format!("{tool}.fish"),
        Shell::PowerShell => format!("_{tool}.ps1"),
        _ => tool,
    };
    Generated {
        name,
        text: text.into_bytes(),
    }
}

/// What clap_complete 4.6 gets wrong: in bash, it looks for the commands of a tool with a dash in its
/// name under another name than it gave them; in zsh, a colon in a value ends the value.
fn misspelt(shell: Shell, tool: &str) -> Vec<(String, String)> {
    let owned = |[wrong, right]: [&str; 2]| (wrong.to_owned(), right.to_owned());
    match shell {
        Shell::Bash => {
            let [wrong, right] = ["__subcmd__", "__"].map(|dash| tool.replace('-', dash));
            vec![(wrong + "__subcmd__", right + "__subcmd__")]
        }
        Shell::Zsh => [
            [r#"aws\:kms\:""#, r#"aws\\:kms\:""#],
            [r"aws\:kms\:dsse", r"aws\\:kms\\:dsse"],
        ]
        .map(owned)
        .to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;
    use crate::binaries::TOOLS;

    fn text(generated: &Generated) -> &str {
        std::str::from_utf8(&generated.text).unwrap()
    }

    #[test]
    fn every_shell_completes_the_flags_of_every_tool() {
        for tool in TOOLS {
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
                let script = completions(&of(tool).unwrap(), shell);
                assert!(text(&script).contains("show-settings"), "{tool} {shell}");
            }
        }
    }

    #[test]
    fn bash_completes_flags_after_every_subcommand() {
        for tool in TOOLS {
            let command = of(tool).unwrap();
            let script = completions(&command, Shell::Bash);
            for verb in command.get_subcommands() {
                let (verb, function) = (verb.get_name(), tool.replace('-', "__"));
                let ask = format!(
                    "COMP_WORDS=({tool} {verb} --buck); COMP_CWORD=2; \
                     _{function} {tool} --buck {verb}; echo \"${{COMPREPLY[*]}}\""
                );
                let asked = format!("{}\n{ask}", text(&script));
                let answer = Process::new("bash").args(["-c", &asked]).output().unwrap();
                let answer = String::from_utf8(answer.stdout).unwrap();
                assert_eq!(answer.trim(), "--bucket", "{tool} {verb}");
            }
        }
    }

    #[test]
    fn every_tool_and_subcommand_has_a_man_page() {
        for tool in TOOLS {
            let pages = man_pages(&of(tool).unwrap()).unwrap();
            assert_eq!(pages[0].name, format!("{tool}.1"));
            let verify = format!("{tool}-verify.1");
            assert!(pages.iter().any(|page| page.name == verify), "{tool}");
            for page in &pages {
                assert!(text(page).contains(".SH SYNOPSIS"), "{}", page.name);
            }
        }
    }

    #[test]
    fn a_subcommand_shows_only_what_it_takes() {
        let pages = man_pages(&of("lob-upload").unwrap()).unwrap();
        let verify = pages.iter().find(|page| page.name == "lob-upload-verify.1");
        let verify = text(verify.unwrap());
        assert!(verify.contains("full") && !verify.contains("source\\-dir"));
    }
}
