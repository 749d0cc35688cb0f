//! What a pipeline gets from its surroundings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Outcome;
use super::logging::STEP;
use super::typed::Typed;
use crate::interrupt::Interrupt;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::settings::{CommonArgs, MemoryShare, Origins, Resolved, Sources};

/// What a pipeline gets from its surroundings: counters, signals, the environment and flags.
#[derive(Debug, Clone)]
pub struct Context {
    /// Counts every S3 operation and MongoDB command.
    pub metrics: Metrics,
    /// Receives the progress of the work.
    pub progress: Arc<dyn Progress>,
    /// Says when to stop.
    pub interrupt: Interrupt,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
    /// Where the settings came from, once they are resolved.
    pub origins: Origins,
    /// What was typed, for the commands in hints.
    pub typed: Typed,
}

impl Context {
    /// Reports what is being done now, for steps in which nothing is counted.
    pub fn step(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        tracing::info!(target: STEP, "{what}");
        self.progress.step(what);
    }

    /// Where to look for the settings of `tool`.
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

    /// Explains the default of the memory and keeps the origins of the settings, for errors about
    /// them. Returns the answer to `--show-settings` if that was typed.
    pub fn settle<S>(
        &self,
        resolved: &mut Resolved<S>,
        memory: MemoryShare,
        common: &CommonArgs,
    ) -> Option<Outcome> {
        memory.explain(&mut resolved.origins);
        self.origins.keep(&resolved.origins);
        common.show_settings.then(|| Outcome::settings(resolved))
    }
}
