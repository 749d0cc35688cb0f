//! What surrounds a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::logging::STEP;
use super::typed::Typed;
use crate::interrupt::Interrupt;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::settings::{CommonArgs, Origins, Sources};

/// What surrounds a pipeline.
#[derive(Debug, Clone)]
pub struct Context {
    /// Counts every S3 operation and MongoDB command.
    pub metrics: Metrics,
    /// Is told how far the work has come.
    pub progress: Arc<dyn Progress>,
    /// Says when to stop.
    pub interrupt: Interrupt,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
    /// Where the settings came from, once they are resolved.
    pub origins: Origins,
    /// What was typed, for the commands of hints.
    pub typed: Typed,
}

impl Context {
    /// Says what is being done now, where nothing is counted.
    pub fn step(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        tracing::info!(target: STEP, "{what}");
        self.progress.step(what);
    }

    /// Where the settings of `tool` are looked for.
    pub fn sources<'a, A>(
        &'a self,
        tool: &'a str,
        flags: &'a A,
        common: &'a CommonArgs,
    ) -> Sources<'a, A> {
        Sources {
            tool,
            borrowed: &[],
            flags,
            environment: &self.environment,
            file: common.config.as_deref(),
        }
    }
}
