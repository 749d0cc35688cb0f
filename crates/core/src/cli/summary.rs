//! The summary of finished work, in one form for all tools: what the run holds, what this process
//! moved and how fast, and where the manifest is.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Outcome;
use crate::metrics::MetricsSnapshot;
use crate::settings::RunId;
use crate::text::{MIB, mebibytes};

/// What a tool tells about finished work; text and JSON have the facts in this order.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The run.
    pub run_id: &'a RunId,
    /// What else says which work it was, such as the database: labels and texts.
    pub about: Vec<(&'static str, String)>,
    /// The splits of the run, if it has some.
    pub splits: Vec<SplitSummary>,
    /// Its data files.
    pub files: u64,
    /// What is counted in them, such as `documents`, and how many there are.
    pub items: (&'static str, u64),
    /// The size of the data files.
    pub bytes: u64,
    /// What was done, such as `uploaded`.
    pub done: &'static str,
    /// What this process did.
    pub moved: Moved,
    /// What is worth a line besides: labels and texts.
    pub notes: Vec<(&'static str, String)>,
    /// The address of the manifest; a part of the work has none yet.
    pub manifest: Option<String>,
    /// The local copy of the manifest.
    pub local_copy: Option<&'a Path>,
    /// What it cost.
    pub metrics: &'a MetricsSnapshot,
    /// What only this tool tells: more fields of the JSON.
    pub more: Value,
}

/// One split in a summary.
#[derive(Debug)]
pub struct SplitSummary {
    /// The line about it, and further lines below that one.
    pub lines: Vec<String>,
    /// The same for machines.
    pub json: Value,
}

/// What a process did for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It moved this many bytes of data files; others may have moved the rest before.
    Now(u64),
    /// Nothing: the run was complete, and all of it is still there.
    Before,
}

impl Summary<'_> {
    /// The summary of a whole job.
    pub fn of_job(self) -> Outcome {
        Outcome::new(self.lines(), self.json())
    }

    /// The summary of a part of a job.
    pub fn of_step(self) -> Outcome {
        Outcome::step(self.lines(), self.json())
    }

    fn moved_bytes(&self) -> u64 {
        match self.moved {
            Moved::Now(bytes) => bytes,
            Moved::Before => 0,
        }
    }

    /// MiB per second.
    fn speed(&self) -> f64 {
        self.moved_bytes() as f64 / MIB / self.metrics.seconds
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![labelled("run", self.run_id)];
        lines.extend(self.about.iter().map(|(label, text)| labelled(label, text)));
        if !self.splits.is_empty() {
            lines.push(labelled("splits", self.splits.len()));
        }
        let of_splits = self.splits.iter().flat_map(|split| &split.lines);
        lines.extend(of_splits.map(|line| format!("  {line}")));
        let (items, count) = self.items;
        lines.push(labelled("files", self.files));
        lines.push(labelled(items, count));
        let (seconds, speed) = (self.metrics.seconds, self.speed());
        lines.push(labelled(
            self.done,
            match self.moved {
                Moved::Now(bytes) => {
                    format!("{} in {seconds:.2} s ({speed:.2} MiB/s)", mebibytes(bytes))
                }
                Moved::Before => format!(
                    "nothing: the run is already complete, its {} match the manifest",
                    mebibytes(self.bytes)
                ),
            },
        ));
        lines.extend(self.notes.iter().map(|(label, text)| labelled(label, text)));
        match self.metrics.retries() {
            0 => {}
            retries => {
                let requests = self.metrics.requests();
                lines.push(labelled(
                    "retries",
                    format!("{retries} of {requests} requests"),
                ));
            }
        }
        let manifest = self.manifest.iter();
        lines.extend(manifest.map(|url| labelled("manifest", url)));
        let copy = self.local_copy.iter();
        lines.extend(copy.map(|path| labelled("copy", path.display())));
        lines
    }

    fn json(&self) -> Value {
        let (items, count) = self.items;
        let mut fields = Map::new();
        let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        add("run_id", json!(self.run_id));
        if !self.splits.is_empty() {
            add(
                "splits",
                self.splits.iter().map(|split| split.json.clone()).collect(),
            );
        }
        add("files", json!(self.files));
        add(items, json!(count));
        add("bytes", json!(self.bytes));
        add("moved_bytes", json!(self.moved_bytes()));
        add("seconds", json!(self.metrics.seconds));
        add("mib_per_second", json!(self.speed()));
        add("retries", json!(self.metrics.retries()));
        if let Some(manifest) = &self.manifest {
            add("manifest", json!(manifest));
            add("local_copy", json!(self.local_copy));
        }
        add("metrics", json!(self.metrics));
        if let Value::Object(more) = &self.more {
            fields.extend(more.clone());
        }
        Value::Object(fields)
    }
}

/// A line of a summary: what it is about, and the fact.
fn labelled(label: &str, fact: impl std::fmt::Display) -> String {
    format!("{label:<9} {fact}")
}
