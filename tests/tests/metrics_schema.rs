//! Checks `--metrics-format emf` against CloudWatch's specification of the embedded metric format.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lob_core::failure::ExitStatus;
use lob_core::metrics::{Ended, Metrics, MetricsFormat};
use serde_json::{Value, json};

#[test]
fn every_document_is_in_the_embedded_metric_format() {
    let schema = serde_json::from_str(include_str!("../fixtures/emf.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let metrics = Metrics::default();
    let second = Duration::from_secs(1);
    metrics.attempt("PutObject", false, second, Some("Slow\"Down"));
    metrics.attempt("PutObject", true, second, None);
    metrics.attempt("GetObject", false, second, None);

    let folder = tempfile::tempdir().unwrap();
    let (path, format) = (folder.path().join("metrics"), MetricsFormat::Emf);
    let ended = Ended {
        status: ExitStatus::Done,
        finished_job: true,
    };
    let written = format.write(&path, "lob-upload", metrics.snapshot(), ended);
    written.unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();

    assert_eq!(documents.len(), 1 + 2);
    for document in &documents {
        assert!(schema.is_valid(document), "{document}");
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(document[metric["Name"].as_str().unwrap()].is_number());
        }
        for name in directive["Dimensions"][0].as_array().unwrap() {
            assert!(document[name.as_str().unwrap()].is_string());
        }
    }
    assert_eq!(documents[0]["ExitStatus"], 0.0);
    let put = &documents[2];
    assert_eq!(
        (&put["Requests"], &put["Errors"]),
        (&json!(2.0), &json!(1.0))
    );
    assert!(!schema.is_valid(&json!({ "_aws": { "Timestamp": 1 } })));
}
