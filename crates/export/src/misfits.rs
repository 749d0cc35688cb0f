//! Values that no column holds: null for readers, though they are in the collection. They are told
//! by column, type and number, and more of them than `--max-misfits` allows fail the run before it
//! is published.

use std::fmt;
use std::str::FromStr;

use lob_columns::ColumnCounts;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{ExportManifest, ExportedSplit};
use lob_core::run::RunId;
use serde::{Deserialize, Serialize};

/// Columns, and names without one, that are told one by one.
const MAX_LINES: usize = 10;

/// A share of documents, from 0 to 100; its text form may end with `%`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "f64")]
pub struct Percent(f64);

/// What a settings file may hold: a number, or a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
        let is_share = |share: &f64| (0.0..=100.0).contains(share);
        number
            .filter(is_share)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no percentage from 0 to 100"))
    }
}

impl TryFrom<Written> for Percent {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> f64 {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Percent {
    fn allows(self, part: u64, whole: u64) -> bool {
        part as f64 * 100.0 <= self.0 * whole as f64
    }

    /// The smallest of two decimal places that allows this part.
    fn that_allows(part: u64, whole: u64) -> Self {
        let hundredths = (u128::from(part) * 10_000).div_ceil(u128::from(whole.max(1)));
        let percent = Self(hundredths as f64 / 100.0);
        // What is rounded in the comparison may fall on the other side.
        if percent.allows(part, whole) {
            percent
        } else {
            Self((hundredths + 1) as f64 / 100.0)
        }
    }
}

/// A run with more misfits than are allowed. It stays as it is, unpublished.
#[derive(Debug, thiserror::Error)]
#[error("more documents than --max-misfits allows have values that no column holds")]
pub(crate) struct TooManyMisfits;

/// Fails a run in which a split has more documents with misfits than are allowed.
///
/// # Errors
/// Such a split; the hint names a command that succeeds.
pub(crate) fn check(manifest: &ExportManifest, allowed: Percent) -> anyhow::Result<()> {
    let is_too_much =
        |split: &&ExportedSplit| !allowed.allows(split.residual_rows, split.num_documents);
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
    let hint = if too_much.iter().all(|split| is_curable(split)) {
        format!("`lob-export --columns-from {id}` exports them into columns that hold all of it")
    } else {
        let needed = too_much
            .iter()
            .map(|split| Percent::that_allows(split.residual_rows, split.num_documents));
        let needed = needed.fold(allowed, |a, b| if b.0 > a.0 { b } else { a });
        format!("`lob-export --run-id {id} --max-misfits {needed}` publishes it as it is")
    };
    let failure = Failure::new(ExitStatus::Failed, message).with_hint(hint);
    Err(anyhow::Error::from(failure).context(TooManyMisfits))
}

/// Whether the columns of the next run take all that those of this one did not.
fn is_curable(split: &ExportedSplit) -> bool {
    let Ok(counts) = serde_json::from_value::<ColumnCounts>(split.column_counts.clone()) else {
        return false;
    };
    let is_widened = |(column, types): (&String, &std::collections::BTreeMap<String, u64>)| {
        types.keys().eq(["double"]) && counts.can_widen(column)
    };
    let has_others = !counts.without_column.is_empty()
        || counts.further_without_column > 0
        || counts.whole_documents > 0;
    !has_others && !counts.misfits.is_empty() && counts.misfits.iter().all(is_widened)
}

/// What no column of a split holds, for people: the columns with the most such values first.
pub(crate) fn lines(rows: u64, documents: u64, counts: Option<&ColumnCounts>) -> Vec<String> {
    if rows == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "{rows} of {documents} documents have values that no column holds: null there, and kept in \
         `_lob_bson`"
    )];
    let Some(counts) = counts else { return lines };
    let mut misfits: Vec<_> = counts.misfits.iter().collect();
    misfits.sort_by_key(|(_, types)| std::cmp::Reverse(types.values().sum::<u64>()));
    let (told, others) = misfits.split_at(misfits.len().min(MAX_LINES));
    for (column, types) in told {
        let types: Vec<_> = types
            .iter()
            .map(|(bson_type, count)| format!("{count} {bson_type}"))
            .collect();
        let kind = counts.types.get(*column).map_or("", String::as_str);
        let is_widened = counts.can_widen(column);
        let next = if is_widened {
            "; the next run has it as double"
        } else {
            ""
        };
        // Lists and maps have any number of values in a document.
        let is_one_each = !column.contains("[]") && !column.contains(".*");
        let of = if is_one_each {
            format!(" of {documents} values")
        } else {
            " values".to_owned()
        };
        let column = column.escape_debug();
        lines.push(format!(
            "{column}: {}{of} do not fit, the column is {kind}{next}",
            types.join(" and ")
        ));
    }
    if !others.is_empty() {
        lines.push(format!("and values of {} more columns", others.len()));
    }
    let mut names: Vec<_> = counts.without_column.iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    if counts.further_without_column > 0 && names.is_empty() {
        let further = counts.further_without_column;
        lines.push(format!(
            "{further} names that are twice in a map, or no text"
        ));
    }
    if !names.is_empty() {
        let told = names.iter().take(MAX_LINES);
        let told: Vec<_> = told
            .map(|(name, count)| format!("{} ({count})", name.escape_debug()))
            .collect();
        let has_more = names.len() > MAX_LINES || counts.further_without_column > 0;
        let more = if has_more { " and more" } else { "" };
        lines.push(format!(
            "fields without a column: {}{more}; `--columns-sample all` looks at every document for them",
            told.join(", ")
        ));
    }
    if counts.whole_documents > 0 {
        let whole = counts.whole_documents;
        lines.push(format!(
            "{whole} documents are too large as columns and kept whole"
        ));
    }
    lines
}

fn lines_of(split: &ExportedSplit) -> Vec<String> {
    let counts = serde_json::from_value(split.column_counts.clone()).ok();
    lines(split.residual_rows, split.num_documents, counts.as_ref())
}

/// Warns of what no column holds.
pub(crate) fn warn(manifest: &ExportManifest, id: &RunId) {
    for split in &manifest.splits {
        for line in lines_of(split) {
            tracing::warn!(run = %id, collection = split.collection, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_number_from_0_to_100() {
        for (text, share) in [("0", 0.0), ("0.5%", 0.5), ("100 %", 100.0)] {
            assert_eq!(text.parse(), Ok(Percent(share)));
        }
        for text in ["-1", "101", "NaN", "", "%", "half"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!(Percent::that_allows(20, 100_000), Percent(0.02));
        assert_eq!(Percent::that_allows(1, 300_000), Percent(0.01));
        assert!(Percent::that_allows(1, 300_000).allows(1, 300_000));
        for part in 0..=10_000 {
            assert!(
                Percent::that_allows(part, 10_000).allows(part, 10_000),
                "{part}"
            );
        }
        assert!(!Percent(0.0).allows(1, u64::MAX));
        assert!(Percent(0.0).allows(0, 0));
    }
}
