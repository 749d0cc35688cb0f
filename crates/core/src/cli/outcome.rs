//! What a successful command prints on stdout.

use crate::settings::Resolved;

/// What a successful command prints on stdout.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) lines: Vec<String>,
    pub(super) json: serde_json::Value,
    pub(super) kind: Kind,
}

/// What an outcome tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole job, such as an export: what alarms wait for.
    Job,
    /// Something that was done beside or inside of a job.
    Step,
    /// What was asked for.
    Answer,
}

impl Outcome {
    /// A summary of a whole job, such as an export: what was done, line by line for people, and the
    /// same for machines. That it cannot be printed undoes nothing and is no failure.
    pub fn new(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            lines,
            json,
            kind: Kind::Job,
        }
    }

    /// The same of what was done beside or inside of a job, which has not succeeded by that.
    pub fn step(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            kind: Kind::Step,
            ..Self::new(lines, json)
        }
    }

    /// What somebody wanted to know: there is nothing else, so that it must be printed.
    pub fn answer(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            kind: Kind::Answer,
            ..Self::new(lines, json)
        }
    }

    /// The answer to `--show-settings`.
    pub fn settings<S>(resolved: &Resolved<S>) -> Self {
        let lines = resolved.origins.iter().map(|o| match &o.toml {
            Some(toml) => format!("{} = {toml}  # {}", o.key, o.origin),
            // What cannot stand in a file, or has nothing to say there.
            None => format!("# {} = {}  # {}", o.key, o.text, o.origin),
        });
        Self::answer(lines.collect(), serde_json::json!(resolved.origins))
    }
}
