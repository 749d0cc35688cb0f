//! What a successful command prints on stdout.

use crate::settings::Resolved;

/// The result of a successful command, for people and for machines.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) lines: Vec<String>,
    pub(super) json: serde_json::Value,
    pub(super) kind: Kind,
}

/// What an outcome reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole job, such as an export; this is what alarms wait for.
    Job,
    /// Something done as part of a job or alongside it.
    Step,
    /// The answer to a question.
    Answer,
}

impl Outcome {
    /// The summary of a whole job, such as an export: line by line for people, and the same for
    /// machines. Failing to print it undoes nothing and is not a failure.
    pub fn new(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            lines,
            json,
            kind: Kind::Job,
        }
    }

    /// The same for something done as part of a job or alongside it, which does not complete the
    /// job.
    pub fn step(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            kind: Kind::Step,
            ..Self::new(lines, json)
        }
    }

    /// The answer to a question: there is nothing else, so it must be printed.
    pub fn answer(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            kind: Kind::Answer,
            ..Self::new(lines, json)
        }
    }

    /// The answer to `--show-settings`.
    pub(super) fn settings<S>(resolved: &Resolved<S>) -> Self {
        let lines = resolved.origins.iter().map(|o| match &o.toml {
            Some(toml) => format!("{} = {toml}  # {}", o.key, o.origin),
            // Either it cannot be set in a file, or there is nothing to set.
            None => format!("# {} = {}  # {}", o.key, o.text, o.origin),
        });
        Self::answer(lines.collect(), serde_json::json!(resolved.origins))
    }
}
