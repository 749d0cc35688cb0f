//! What a metrics file says of a command that has ended, in either format.

use super::OperationMetrics;
use crate::metrics::MetricsSnapshot;

/// A command that has ended.
#[derive(Debug, Clone)]
pub(crate) struct EndedCommand {
    pub(crate) tool: String,
    pub(crate) snapshot: MetricsSnapshot,
    pub(crate) exit_status: u8,
    /// When the same tool last ended with status 0, in seconds since 1970.
    pub(crate) last_success: Option<f64>,
}

/// One of the numbers of an operation.
pub(super) struct Counter {
    /// Its name without `_total`.
    pub(super) prometheus: &'static str,
    pub(super) help: &'static str,
    pub(super) cloudwatch: &'static str,
    /// As CloudWatch calls it.
    pub(super) unit: &'static str,
    pub(super) value: fn(&OperationMetrics) -> f64,
}

/// All of them but the errors, which have a class.
pub(super) const COUNTERS: [Counter; 7] = [
    Counter {
        prometheus: "lob_s3_requests",
        help: "Attempts that were sent, retries included",
        cloudwatch: "Requests",
        unit: "Count",
        value: |o| o.requests as f64,
    },
    Counter {
        prometheus: "lob_s3_retries",
        help: "Attempts that repeated an earlier one",
        cloudwatch: "Retries",
        unit: "Count",
        value: |o| o.retries as f64,
    },
    Counter {
        prometheus: "lob_s3_throttles",
        help: "Attempts that were answered with a request to slow down",
        cloudwatch: "Throttles",
        unit: "Count",
        value: |o| o.throttles as f64,
    },
    Counter {
        prometheus: "lob_s3_expected_answers",
        help: "Answers other than success that were asked for, which are no errors",
        cloudwatch: "ExpectedAnswers",
        unit: "Count",
        value: |o| o.expected as f64,
    },
    Counter {
        prometheus: "lob_s3_sent_bytes",
        help: "Bytes of request bodies that were acknowledged",
        cloudwatch: "SentBytes",
        unit: "Bytes",
        value: |o| o.bytes_sent as f64,
    },
    Counter {
        prometheus: "lob_s3_received_bytes",
        help: "Bytes of response bodies that were read",
        cloudwatch: "ReceivedBytes",
        unit: "Bytes",
        value: |o| o.bytes_received as f64,
    },
    Counter {
        prometheus: "lob_s3_seconds",
        help: "Time spent in attempts, added up over those that ran at once",
        cloudwatch: "Seconds",
        unit: "Seconds",
        value: |o| o.seconds,
    },
];
