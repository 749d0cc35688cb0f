//! Values that no column holds: readers see null, although the collection has them. They are
//! reported by column, type and count, and more of them than `--max-misfits` allows fail the run
//! before it is published.

use std::collections::BTreeMap;

use lob_columns::{ColumnCounts, is_own_name};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::settings::Percent;
use lob_core::settings::RunId;
use lob_core::text::counted;

use crate::manifest::{Manifest, Split};

/// How many columns, and names without one, are listed individually.
const MAX_LINES: usize = 10;

/// A run with more misfits than allowed. It stays as it is, unpublished.
#[derive(Debug, thiserror::Error)]
#[error("more documents than --max-misfits allows have values that fit no column")]
pub(crate) struct TooManyMisfits;

/// Fails a run in which a split has more documents with misfits than allowed.
///
/// # Errors
/// A split exceeds the limit; the hint says how to make the command succeed.
pub(crate) fn check(manifest: &Manifest, allowed: Percent) -> anyhow::Result<()> {
    let is_too_much = |split: &&Split| !allowed.allows(split.residual_rows, split.num_documents);
    let too_much: Vec<_> = manifest.splits.iter().filter(is_too_much).collect();
    if too_much.is_empty() {
        return Ok(());
    }
    let mut message = String::from("nothing is published");
    for split in &too_much {
        let lines = lines_of(split).join("; ");
        message.push_str(&format!("; `{}`: {lines}", split.collection));
    }
    let id = &manifest.run_id;
    let cures = too_much.iter().map(|split| cure(split));
    let hint = match cures.max() {
        Some(Cure::Widening) => format!(
            "the same command with `--columns-from {id}` and another `--run-id` exports everything \
             into columns that fit"
        ),
        Some(Cure::Sample) => {
            "the same command with `--columns-sample all --columns-from none` and another \
             `--run-id` looks at every document to choose the columns"
                .to_owned()
        }
        _ => {
            let needed = too_much
                .iter()
                .map(|split| Percent::that_allows(split.residual_rows, split.num_documents));
            let needed = needed.fold(allowed, |a, b| if b > a { b } else { a });
            format!(
                "the same command with `--run-id {id} --max-misfits {needed}` publishes it as it is"
            )
        }
    };
    let failure = Failure::new(ExitStatus::Failed, message).with_hint(hint);
    Err(anyhow::Error::from(failure).context(TooManyMisfits))
}

/// What would give a split columns that hold what this run's could not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cure {
    /// Reusing the columns of this run: integers become doubles.
    Widening,
    /// Sampling every document: the sample missed some fields.
    Sample,
    Nothing,
}

fn cure(split: &Split) -> Cure {
    let counts = &split.column_counts;
    let of_column = |(column, types): (&String, &BTreeMap<String, u64>)| {
        if types.keys().eq(["double"]) && counts.can_widen(column) {
            Cure::Widening
        } else if counts.types.get(column).is_some_and(|kind| kind == "null") {
            Cure::Sample
        } else {
            Cure::Nothing
        }
    };
    let of_name = |path: &String| {
        if is_own(path) || counts.differ_in_case.contains_key(path) {
            Cure::Nothing
        } else {
            Cure::Sample
        }
    };
    if counts.further_without_column > 0 || counts.whole_documents > 0 {
        return Cure::Nothing;
    }
    let of_columns = counts.misfits.iter().map(of_column);
    let cures = of_columns.chain(counts.without_column.keys().map(of_name));
    cures.max().unwrap_or(Cure::Nothing)
}

/// Whether the name of a field starts like our own columns.
fn is_own(path: &str) -> bool {
    is_own_name(path.rsplit('.').next().unwrap_or(path))
}

/// Reports what no column of a split holds, as text: columns with the most such values first.
pub(crate) fn lines(rows: u64, documents: u64, counts: Option<&ColumnCounts>) -> Vec<String> {
    if rows == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "{rows} of {documents} documents have values that fit no column: they are kept in \
         `_lob_bson`"
    )];
    let Some(counts) = counts else { return lines };
    let mut misfits: Vec<_> = counts.misfits.iter().collect();
    misfits.sort_by_key(|(_, types)| std::cmp::Reverse(types.values().sum::<u64>()));
    let (told, others) = misfits.split_at(misfits.len().min(MAX_LINES));
    for (column, types) in told {
        let kind = counts.types.get(*column).map_or("", String::as_str);
        let numbers: Vec<_> = types
            .iter()
            .map(|(bson_type, count)| format!("{count} {bson_type}"))
            .collect();
        // Lists and maps may have any number of values per document.
        let is_one_each = !column.contains("[]") && !column.contains(".*");
        let of = if is_one_each {
            format!(" of {}", counted(documents, "value"))
        } else {
            " values".to_owned()
        };
        let is_every_one = is_one_each && types.values().sum::<u64>() == documents;
        let reason = reason(kind, types, counts.can_widen(column), is_every_one);
        let (column, numbers) = (column.escape_debug(), numbers.join(" and "));
        lines.push(match kind {
            "null" => format!(
                "{column}: {numbers}{of} have no column, since the sample had none there; \
                 `--columns-sample all` finds them"
            ),
            _ => format!(
                "{column}: {numbers}{of} do not fit: the column is {kind}, and null there{reason}"
            ),
        });
    }
    if !others.is_empty() {
        lines.push(format!(
            "and values of {}",
            counted(others.len(), "more column")
        ));
    }
    lines.extend(lines_without_column(counts));
    if counts.whole_documents > 0 {
        let whole = counted(counts.whole_documents, "document");
        lines.push(format!("too large as columns and kept whole: {whole}"));
    }
    lines
}

/// Why values do not fit a column of their own type, and what would give them one that they fit.
fn reason(
    kind: &str,
    types: &BTreeMap<String, u64>,
    is_widened: bool,
    is_every_one: bool,
) -> &'static str {
    let only = |bson_type: &str| types.keys().eq([bson_type]);
    if is_widened {
        "; once this run is published, the next one has it as double"
    } else if kind.starts_with("decimal(") && only("decimal128") {
        ": they have more digits, are negative zeros, or are not numbers; if the column comes from \
         an earlier run, `--columns-from none` chooses the digits again"
    } else if kind == "date" && only("date") {
        ": readers support only the years 1 to 9999"
    } else if kind == "int64" && only("double") {
        ": it has integers beyond 2^53, which a double cannot hold"
    } else if kind == "double" && (only("int64") || only("int32")) {
        ": they are beyond 2^53"
    } else if is_every_one {
        "; if the column comes from an earlier run, `--columns-from none` chooses the type again"
    } else {
        ""
    }
}

/// Names without a column, grouped by what can be done about them.
fn lines_without_column(counts: &ColumnCounts) -> Vec<String> {
    let mut names: Vec<_> = counts.without_column.iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let (own, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|(path, _)| is_own(path));
    let is_alike = |path: &&String| counts.differ_in_case.contains_key(*path);
    let (alike, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|(path, _)| is_alike(path));
    let told = |(path, count): &(&String, &u64)| match counts.differ_in_case.get(*path) {
        Some(column) => format!(
            "{} for {} ({count})",
            path.escape_debug(),
            column.escape_debug()
        ),
        None => format!("{} ({count})", path.escape_debug()),
    };
    let kinds = [
        (
            names,
            "fields without a column",
            "; a larger `--columns-sample` may find rare ones, `--map` turns names into the keys \
             of a MAP, and `--columns-from none` chooses the columns again if they come from an \
             earlier run",
        ),
        (
            alike,
            "fields whose names differ from a column's only in case, which readers would confuse",
            "; if the column comes from an earlier run, `--columns-from none` gives it to the most \
             frequent of them",
        ),
        (
            own,
            "fields whose names begin with `_lob_`, as our own columns do",
            "",
        ),
    ];
    let mut lines = Vec::new();
    for (names, what, advice) in kinds {
        if names.is_empty() {
            continue;
        }
        let told: Vec<_> = names.iter().take(MAX_LINES).map(told).collect();
        let more = if names.len() > MAX_LINES {
            " and more"
        } else {
            ""
        };
        lines.push(format!("{what}: {}{more}{advice}", told.join(", ")));
    }
    if counts.further_without_column > 0 {
        let further = counts.further_without_column;
        lines.push(format!(
            "{further} more fields without a column: too many to list, names that occur twice in a \
             map, or names that are not text"
        ));
    }
    lines
}

fn lines_of(split: &Split) -> Vec<String> {
    let counts = Some(&split.column_counts);
    lines(split.residual_rows, split.num_documents, counts)
}

/// Warns about values that no column holds.
pub(crate) fn warn(manifest: &Manifest, id: &RunId) {
    for split in &manifest.splits {
        for line in lines_of(split) {
            tracing::warn!(run = %id, collection = split.collection, "{line}");
        }
    }
}
