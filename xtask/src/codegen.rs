//! Generates documents from the code, so that the two cannot differ: each tool's command line, from
//! clap, the map of the files, and the table of faults.

mod file_map;
mod reliability;

use anyhow::{Context as _, bail};
use clap_markdown::{MarkdownOptions, help_markdown_command_custom};
use lob_core::cli::{CommandLine, command};
use xshell::Shell;

const FOLDER: &str = "docs/reference";
const RELIABILITY: &str = "docs/RELIABILITY.md";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail where a reference is not what it would be
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let references = [
        reference::<lob_upload::Args>(),
        reference::<lob_export::Args>(),
        reference::<lob_import::Args>(),
        (format!("{FOLDER}/files.md"), file_map::render(&root)?),
        (RELIABILITY.to_owned(), reliability::render(&root)?),
    ];
    for (path, text) in references {
        if sh.read_file(&path).is_ok_and(|there| there == text) {
            continue;
        }
        if args.check {
            bail!("`{path}` is out of date; run `cargo xtask codegen`");
        }
        let written = sh.write_file(&path, text);
        written.with_context(|| format!("`{path}` cannot be written"))?;
        eprintln!("wrote {path}");
    }
    Ok(())
}

/// The path and the text of a tool's reference.
fn reference<A: CommandLine>() -> (String, String) {
    let command = command::<A>();
    let tool = command.get_name().to_owned();
    let options = MarkdownOptions::new()
        .title(format!("`{tool}`"))
        .show_footer(false);
    let text = help_markdown_command_custom(&command, &options);
    let lines = text
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n");
    (
        format!("{FOLDER}/{tool}.md"),
        format!(
            "<!-- Made by `cargo xtask codegen`. -->\n\n{}\n",
            lines.trim_end()
        ),
    )
}
