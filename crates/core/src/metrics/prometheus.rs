//! The counters in Prometheus's text format, version 0.0.4.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::report::{EndedCommand, Service};

const LAST_SUCCESS: &str = "lob_last_success_timestamp_seconds";

/// The text of a metrics file.
///
/// # Errors
/// None in practice: it is written to memory.
pub(super) fn text(ended: EndedCommand) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(ended));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// When `tool` last succeeded, in seconds since 1970, according to the text of its metrics file.
pub(super) fn last_success(text: &str, tool: &str) -> Option<f64> {
    let name = format!("{LAST_SUCCESS}{{tool=\"{tool}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&name))?;
    value.parse().ok()
}

impl Collector for EndedCommand {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = &self.snapshot;
        let gauges = [
            (
                "lob_seconds",
                "Wall time of the command",
                Some(snapshot.seconds),
            ),
            (
                "lob_peak_memory_bytes",
                "Largest resident memory of the process",
                snapshot.peak_memory_bytes.map(|bytes| bytes as f64),
            ),
            (
                "lob_exit_status",
                "Exit status of the command",
                Some(f64::from(self.exit_status)),
            ),
            (
                LAST_SUCCESS,
                "When a whole job, such as an export, last finished with status 0",
                self.last_success,
            ),
        ];
        let tool = ("tool", self.tool.as_str());
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(gauge.encode_family(&[tool])?)?;
            }
        }
        for service in Service::ALL {
            let operations = service.operations(snapshot);
            let name = |counter: &str| format!("{}_{counter}", service.prefix());
            for counter in service.counters() {
                let (name, help) = (name(counter.prometheus), counter.help);
                let mut family =
                    encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
                for (operation, metrics) in operations {
                    let labels = [tool, ("operation", operation)];
                    let value = ConstCounter::new((counter.value)(metrics));
                    value.encode(family.encode_family(&labels)?)?;
                }
            }
            let (name, help) = (name("errors"), "Attempts that failed, by class");
            let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            for (operation, metrics) in operations {
                for (class, count) in &metrics.errors {
                    let labels = [tool, ("operation", operation), ("class", class)];
                    ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}
