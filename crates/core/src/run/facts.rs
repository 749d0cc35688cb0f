//! What a manifest says about its run.

use super::OpenRun;
use crate::manifest::{FORMAT_VERSION, RunFacts, S3Config};
use crate::metrics::MetricsSnapshot;

impl OpenRun {
    /// The facts of the run as of now.
    pub fn facts(
        &self,
        tool: &str,
        settings: serde_json::Value,
        metrics: MetricsSnapshot,
    ) -> RunFacts {
        RunFacts {
            format_version: FORMAT_VERSION,
            tool: tool.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            write_token: self.store.token().clone(),
            started: self.started,
            finished: jiff::Timestamp::now(),
            endpoint: self.store.endpoint(),
            settings,
            metrics,
        }
    }

    /// The location of the run, as recorded in its manifest.
    pub fn s3_config(&self) -> S3Config {
        S3Config {
            bucket: self.store.bucket().to_owned(),
            prefix: self.location.prefix().to_string(),
            region: self.store.region().to_owned(),
        }
    }
}
