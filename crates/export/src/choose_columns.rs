//! Chooses between today's columns and those of an earlier run, and reports the choice.

use std::collections::BTreeMap;

use lob_columns::{Columns, ColumnsProposal};
use lob_mongo::Collection;

use crate::earlier_columns::EarlierColumns;

/// Longest type shown in a message, in characters.
const MAX_TYPE_CHARS: usize = 100;

/// The columns of an earlier run as far as they fit today's documents, and today's in any case.
pub(crate) fn choose_columns(
    proposal: ColumnsProposal,
    earlier: Option<&EarlierColumns>,
    collection: &Collection,
) -> Columns {
    let namespace = collection.namespace();
    let Some(earlier) = earlier else {
        let columns = proposal.finish();
        for (name, _) in columns
            .list()
            .filter(|(_, kind)| kind.contains("decimal128"))
        {
            let name = name.escape_debug();
            tracing::info!(%namespace, "the column {name} holds decimals as text: no scale fits \
                                        them all");
        }
        return columns;
    };
    let (columns, today) = proposal.finish_after(&earlier.columns, &earlier.counts);
    let from = &earlier.run;
    tracing::info!(%namespace, "reusing the columns of run {from}");
    let maps = |kind: &str| kind.matches("map<").count();
    let before: BTreeMap<_, _> = earlier.columns.list().collect();
    let today: BTreeMap<_, _> = today.list().collect();
    for (name, kind) in columns.list() {
        let name_said = name.escape_debug();
        if today
            .get(name)
            .is_some_and(|today| maps(today) > maps(&kind))
        {
            tracing::warn!(
                %namespace,
                "names in the column {name_said} look like data, but it stays a STRUCT as in run \
                 {from}: use --map or --columns-from none to make it a MAP"
            );
        }
        let Some(before) = before.get(name) else {
            tracing::info!(%namespace, "the column {name_said}, {}, is new", short(&kind));
            continue;
        };
        if *before == kind {
            continue;
        }
        let has_other_nature = maps(before) != maps(&kind);
        let readers = if before.contains("null") || has_other_nature {
            "most readers cannot read both runs as one table"
        } else {
            "to read both runs together, use union_by_name in DuckDB or unionByName in Spark"
        };
        tracing::warn!(
            %namespace,
            "the column {name_said} is {} and was {} in run {from}: {readers}",
            short(&kind),
            short(before)
        );
    }
    columns
}

/// The start of a type: an order book's may have thousands of fields.
fn short(kind: &str) -> String {
    match kind.char_indices().nth(MAX_TYPE_CHARS) {
        Some((end, _)) => format!("{}…", &kind[..end]),
        None => kind.to_owned(),
    }
}
