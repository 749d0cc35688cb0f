//! The shrink guard: a sharp drop in the number of documents is more often a fault upstream than
//! the truth, so a shrunken collection does not replace a good one unless someone explicitly allows
//! it.

use std::fmt::Display;

use crate::failure::{ExitStatus, Failure};
use crate::settings::Percent;
use crate::settings::RunId;
use crate::text::counted;

/// The share of its documents that a collection may lose by default.
pub const DEFAULT_MAX_SHRINK: Percent = Percent::of(20);

/// Collections that lose a larger share of their documents than allowed.
#[derive(Debug)]
pub struct Shrunk {
    allowed: Percent,
    /// The share that would allow all of them.
    needed: Percent,
    told: Vec<String>,
}

impl Shrunk {
    /// Starts with no collections. `allowed` is the share of its documents that each may lose.
    pub fn beyond(allowed: Percent) -> Self {
        Self {
            allowed,
            needed: allowed,
            told: Vec::new(),
        }
    }

    /// Whether a collection that shrinks from `before` documents to `now` loses too many.
    pub fn is_too_much(&self, before: u64, now: u64) -> bool {
        !self.allowed.allows(before.saturating_sub(now), before)
    }

    /// Compares the document counts of a collection: `before`, according to `source`, and `now`.
    pub fn compare(&mut self, collection: &str, before: u64, source: impl Display, now: u64) {
        if self.is_too_much(before, now) {
            let needed = Percent::that_allows(before.saturating_sub(now), before);
            self.needed = if needed > self.needed {
                needed
            } else {
                self.needed
            };
            let told = format!(
                "`{collection}` would have {}, {source} {before}",
                counted(now, "document")
            );
            self.told.push(told);
        }
    }

    /// Refuses collections that lose too many documents.
    ///
    /// # Errors
    /// There is such a collection, exit status 1: `effect` says what is not done to the run, and
    /// the hint says which settings let the same command do it.
    pub fn refuse(self, effect: &str, run: &RunId) -> Result<(), Failure> {
        if self.told.is_empty() {
            return Ok(());
        }
        let Self {
            allowed,
            needed,
            told,
        } = self;
        let message = format!(
            "{effect}, because more than {allowed} of the documents would be lost: {}",
            told.join("; ")
        );
        Err(Failure::new(ExitStatus::Failed, message).with_hint(format!(
            "if this is intended, run the same command with `--run-id {run} --max-shrink {needed}`"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excessive_shrinkage_is_reported_with_both_counts_and_what_allows_it() {
        let mut shrunk = Shrunk::beyond(DEFAULT_MAX_SHRINK);
        for (name, before, now) in [("a", 0, 0), ("b", 10, 8), ("c", 10, 11), ("d", 0, 5)] {
            shrunk.compare(name, before, "run `x` had", now);
        }
        shrunk.compare("e", 1000, "run `x` had", 799);
        shrunk.compare("f", 1000, "run `x` had", 0);
        let run = "r1".parse().unwrap();
        let failure = shrunk.refuse("nothing is done", &run).unwrap_err();
        assert_eq!(failure.status, ExitStatus::Failed);
        assert_eq!(
            failure.to_string(),
            "nothing is done, because more than 20% of the documents would be lost: `e` would have \
             799 documents, run `x` had 1000; `f` would have 0 documents, run `x` had 1000"
        );
        assert_eq!(
            failure.hint.as_deref(),
            Some("if this is intended, run the same command with `--run-id r1 --max-shrink 100%`")
        );
        assert!(Shrunk::beyond(Percent::of(100)).refuse("", &run).is_ok());
    }
}
