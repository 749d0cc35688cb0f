//! The counters in CloudWatch's embedded metric format, read from a log: one JSON document per
//! line, the first for the command, then one per operation.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::report::{EndedCommand, Service};

const NAMESPACE: &str = "lob-tools";
const LAST_SUCCESS: &str = "LastSuccessTimestamp";

/// The text of a metrics file, as of `now`.
pub(super) fn text(ended: &EndedCommand, now: Timestamp) -> String {
    let snapshot = &ended.snapshot;
    let peak_memory = snapshot.peak_memory_bytes.map(|bytes| bytes as f64);
    let of_command = [
        ("Seconds", "Seconds", Some(snapshot.seconds)),
        ("PeakMemory", "Bytes", peak_memory),
        ("ExitStatus", "None", Some(f64::from(ended.exit_status))),
        (LAST_SUCCESS, "Seconds", ended.last_success),
    ];
    let tool = ("tool", ended.tool.as_str());
    let metrics = of_command
        .into_iter()
        .filter_map(|(name, unit, value)| Some((name, unit, value?)));
    let mut text = document(&[tool], metrics, now);
    for service in Service::ALL {
        for (operation, metrics) in service.operations(snapshot) {
            let counters = service
                .counters()
                .map(|counter| (counter.cloudwatch, counter.unit, (counter.value)(metrics)));
            let errors = metrics.errors.values().sum::<u64>() as f64;
            let counters = counters.chain([("Errors", "Count", errors)]);
            text += &document(&[tool, ("operation", operation)], counters, now);
        }
    }
    text
}

/// When `tool` last succeeded, in seconds since 1970, according to the text of its metrics file.
pub(super) fn last_success(text: &str, tool: &str) -> Option<f64> {
    let documents = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut own = documents.filter(|document| document["tool"] == tool);
    own.find_map(|document| document[LAST_SUCCESS].as_f64())
}

fn document<'a>(
    dimensions: &[(&str, &str)],
    metrics: impl Iterator<Item = (&'a str, &'a str, f64)>,
    now: Timestamp,
) -> String {
    let (mut document, mut described) = (Map::new(), Vec::new());
    for (name, unit, value) in metrics {
        described.push(json!({ "Name": name, "Unit": unit }));
        document.insert(name.to_owned(), json!(value));
    }
    for (name, value) in dimensions {
        document.insert((*name).to_owned(), json!(value));
    }
    let names: Vec<_> = dimensions.iter().map(|(name, _)| name).collect();
    let directive = json!({
        "Timestamp": now.as_millisecond(),
        "CloudWatchMetrics": [
            { "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": described },
        ],
    });
    document.insert("_aws".to_owned(), directive);
    format!("{}\n", Value::from(document))
}
