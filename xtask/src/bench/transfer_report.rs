//! The tables of `bench export` and `bench import`.

use std::fmt::Write as _;

use super::cost::Cost;
use super::report::machine;
use super::transfer_client::{Client, Servers};
use crate::fill::Filled;
use crate::peers::Peer;

/// Renders the report as Markdown; our own client comes first.
pub(super) fn render(
    filled: &Filled,
    rounds: usize,
    clients: &[(&Client, Cost)],
    peers: &[Peer],
) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "{} documents, {} MB of BSON, medians of {rounds} rounds; {}.\n",
        filled.documents,
        filled.bytes / 1_000_000,
        machine()?,
    )?;
    let ours = clients.first().map(|(client, cost)| (client.name, cost));
    let (name, ours) = ours.unzip();
    let name = name.unwrap_or_default();
    writeln!(
        text,
        "| client | wall s | `{name}` to it | CPU s | user | system | `{name}` to it | peak MiB \
         | MongoDB's CPU s |"
    )?;
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (client, cost) in clients {
        let ratio = |figure: fn(&Cost) -> f64| match ours {
            Some(ours) if !client.is_ours() => format!("{:.2}", figure(ours) / figure(cost)),
            _ => String::new(),
        };
        let server = match client.servers {
            Servers::Real => format!("{:.2}", cost.server),
            Servers::Doubles => String::new(),
        };
        writeln!(
            text,
            "| {} | {:.2} | {} | {:.2} | {:.2} | {:.2} | {} | {:.0} | {server} |",
            client.name,
            cost.wall,
            ratio(|cost| cost.wall),
            cost.cpu,
            cost.user,
            cost.system,
            ratio(|cost| cost.cpu),
            cost.peak,
        )?;
    }
    text.push_str("\n| client | version | from or to | command |\n| --- | --- | --- | --- |\n");
    for (client, _) in clients {
        let mut peers = peers.iter();
        let peer = peers.find(|peer| peer.program == client.program);
        writeln!(
            text,
            "| {} | {} | {} | `{} {}` |",
            client.name,
            peer.map_or("this one", |peer| &peer.version),
            client.does,
            // A script is started by another program.
            peer.and_then(|peer| peer.path.file_name()?.to_str())
                .unwrap_or(client.program),
            client.arguments,
        )?;
    }
    Ok(text)
}
