//! Renders the table of `bench upload`, and puts the tables of all benchmarks into
//! docs/PERFORMANCE.md.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use xshell::Shell;

use super::client::Client;
use super::cost::Cost;
use crate::peers::Peer;

const DOCUMENT: &str = "docs/PERFORMANCE.md";

/// All measurements.
pub(crate) struct Report<'a> {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) rounds: usize,
    /// Each client with the median of its rounds over HTTP; `lob-upload` comes first.
    pub(crate) http: &'a [(&'a Client, Cost)],
    /// The same over TLS.
    pub(crate) tls: &'a [(&'a Client, Cost)],
    pub(crate) peers: &'a [Peer],
    /// What one thread does with all files, and how long it takes.
    pub(crate) floor: &'a [(String, Duration)],
}

impl Report<'_> {
    /// Renders the report as Markdown.
    pub(crate) fn render(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        writeln!(
            text,
            "{} files of {} MB, medians of {} rounds; {}.\n",
            self.files,
            self.bytes / self.files as u64 / 1_000_000,
            self.rounds,
            machine()?,
        )?;
        text.push_str("Over HTTP:\n\n");
        self.costs(self.http, &mut text)?;
        text.push_str("\nOver TLS:\n\n");
        self.costs(self.tls, &mut text)?;
        text.push('\n');
        self.worths(&mut text)?;
        text.push('\n');
        self.floor(&mut text)?;
        Ok(text)
    }

    /// The figures, and those of `lob-upload` as multiples of each peer's.
    fn costs(&self, clients: &[(&Client, Cost)], text: &mut String) -> anyhow::Result<()> {
        text.push_str(
            "| client | CPU s/GB | user | system | `lob-upload` to it | with MD5 to it | wall s \
             | `lob-upload` to it | peak MiB | requests a file |\n",
        );
        text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        let ours = clients.iter().filter(|(client, _)| client.is_ours());
        let ours: Vec<_> = ours.map(|(_, cost)| cost).collect();
        for (client, cost) in clients {
            let ratio = |ours: Option<&&Cost>, figure: fn(&Cost) -> f64| match ours {
                Some(ours) if !client.is_ours() => format!("{:.2}", figure(ours) / figure(cost)),
                _ => String::new(),
            };
            let requests = match cost.server {
                0.0 => String::new(),
                counted => format!("{:.1}", counted / self.files as f64),
            };
            writeln!(
                text,
                "| `{}` | {:.2} | {:.2} | {:.2} | {} | {} | {:.2} | {} | {:.0} | {} |",
                client.name(),
                self.per_gb(cost.cpu),
                self.per_gb(cost.user),
                self.per_gb(cost.system),
                ratio(ours.first(), |cost| cost.cpu),
                ratio(ours.get(1), |cost| cost.cpu),
                cost.wall,
                ratio(ours.first(), |cost| cost.wall),
                cost.peak,
                requests,
            )?;
        }
        Ok(())
    }

    /// What each client's cost pays for, and the command it ran.
    fn worths(&self, text: &mut String) -> anyhow::Result<()> {
        text.push_str("| client | version | protects the bytes | checksum that the object keeps | command |\n");
        text.push_str("| --- | --- | --- | --- | --- |\n");
        for (client, _) in self.http {
            let mut peers = self.peers.iter();
            let peer = peers.find(|peer| peer.program == client.program);
            writeln!(
                text,
                "| `{}` | {} | {} | {} | `{}` |",
                client.name(),
                peer.map_or("this one", |peer| &peer.version),
                client.protection,
                client.kept,
                client.command_line(),
            )?;
        }
        Ok(())
    }

    fn floor(&self, text: &mut String) -> anyhow::Result<()> {
        text.push_str("| floor | s/GB |\n| --- | --- |\n");
        for (name, duration) in self.floor {
            let seconds = self.per_gb(duration.as_secs_f64());
            writeln!(text, "| {name} | {seconds:.2} |")?;
        }
        Ok(())
    }

    fn per_gb(&self, seconds: f64) -> f64 {
        seconds / (self.bytes as f64 / 1e9)
    }
}

/// Replaces the text between this benchmark's marks.
pub(crate) fn write(sh: &Shell, bench: &str, text: &str) -> anyhow::Result<()> {
    let (begin, end) = (
        format!("<!-- bench {bench}: begin -->"),
        format!("<!-- bench {bench}: end -->"),
    );
    let old = sh.read_file(DOCUMENT)?;
    let parts = old
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) =
        parts.with_context(|| format!("no `{begin}` and `{end}` in {DOCUMENT}"))?;
    Ok(sh.write_file(DOCUMENT, format!("{before}{begin}\n{text}{end}{after}"))?)
}

/// The machine the benchmark ran on.
pub(crate) fn machine() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let mut lines = processor.lines().filter_map(|line| line.split_once(": "));
    let model = lines.find(|(name, _)| name.starts_with("model name"));
    let model = model.map_or("unknown processor", |(_, model)| model);
    Ok(format!("{cores} cores, {model}"))
}
