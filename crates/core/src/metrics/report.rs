//! What a metrics file says about a command that has ended, in either format.

use std::collections::BTreeMap;

use super::{MetricsSnapshot, OperationMetrics};

/// A command that has ended.
#[derive(Debug, Clone)]
pub(crate) struct EndedCommand {
    pub(crate) tool: String,
    pub(crate) snapshot: MetricsSnapshot,
    pub(crate) exit_status: u8,
    /// When the same tool last finished a job, in seconds since 1970.
    pub(crate) last_success: Option<f64>,
}

/// The service whose operations are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    MongoDb,
}

impl Service {
    pub(super) const ALL: [Self; 2] = [Self::S3, Self::MongoDb];

    /// The prefix of its metric names.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::S3 => "lob_s3",
            Self::MongoDb => "lob_mongodb",
        }
    }

    pub(super) fn operations(
        self,
        snapshot: &MetricsSnapshot,
    ) -> &BTreeMap<String, OperationMetrics> {
        match self {
            Self::S3 => &snapshot.operations,
            Self::MongoDb => &snapshot.commands,
        }
    }

    pub(super) fn counters(self) -> impl Iterator<Item = &'static Counter> {
        COUNTERS
            .iter()
            .filter(move |counter| counter.only.is_none_or(|only| only == self))
    }
}

/// One counter of an operation.
pub(super) struct Counter {
    /// The only service that has it; `None` if all do.
    only: Option<Service>,
    /// Its name without the prefix and `_total`.
    pub(super) prometheus: &'static str,
    pub(super) help: &'static str,
    pub(super) cloudwatch: &'static str,
    /// The unit, in CloudWatch's terms.
    pub(super) unit: &'static str,
    pub(super) value: fn(&OperationMetrics) -> f64,
}

/// All counters except errors, which also have a class.
const COUNTERS: [Counter; 8] = [
    Counter {
        only: None,
        prometheus: "requests",
        help: "Attempts that were sent, including retries",
        cloudwatch: "Requests",
        unit: "Count",
        value: |o| o.requests as f64,
    },
    Counter {
        only: None,
        prometheus: "retries",
        help: "Attempts that repeated an earlier one",
        cloudwatch: "Retries",
        unit: "Count",
        value: |o| o.retries as f64,
    },
    Counter {
        only: Some(Service::S3),
        prometheus: "throttles",
        help: "Attempts that the server throttled",
        cloudwatch: "Throttles",
        unit: "Count",
        value: |o| o.throttles as f64,
    },
    Counter {
        only: Some(Service::S3),
        prometheus: "expected_answers",
        help: "Expected responses other than success, which are not errors",
        cloudwatch: "ExpectedAnswers",
        unit: "Count",
        value: |o| o.expected as f64,
    },
    Counter {
        only: Some(Service::MongoDb),
        prometheus: "documents",
        help: "Documents that were read or written",
        cloudwatch: "Documents",
        unit: "Count",
        value: |o| o.documents as f64,
    },
    Counter {
        only: None,
        prometheus: "sent_bytes",
        help: "Bytes of request bodies that were acknowledged",
        cloudwatch: "SentBytes",
        unit: "Bytes",
        value: |o| o.bytes_sent as f64,
    },
    Counter {
        only: None,
        prometheus: "received_bytes",
        help: "Bytes of response bodies that were read",
        cloudwatch: "ReceivedBytes",
        unit: "Bytes",
        value: |o| o.bytes_received as f64,
    },
    Counter {
        only: None,
        prometheus: "seconds",
        help: "Time spent in attempts, summed over concurrent ones",
        cloudwatch: "Seconds",
        unit: "Seconds",
        value: |o| o.seconds,
    },
];
