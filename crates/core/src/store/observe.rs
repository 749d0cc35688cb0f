//! Watches every attempt of every S3 request: counts it, and logs the ones that are repeated.

use std::time::Instant;

use aws_sdk_s3::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::{Layer, Storable, StoreReplace};
use aws_smithy_types::retry::ErrorKind;

use super::error_code::error_code;
use crate::metrics::Metrics;
use crate::retry::classify;

#[derive(Debug)]
pub(super) struct Observer {
    metrics: Metrics,
}

impl Observer {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

#[derive(Debug, Clone, Copy)]
struct AttemptStart(Instant);

impl Storable for AttemptStart {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "lob-tools: metrics"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut layer = Layer::new("lob-tools: attempt start");
        layer.store_put(AttemptStart(Instant::now()));
        bag.push_layer(layer);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag
            .load::<Metadata>()
            .map_or("unknown", Metadata::name)
            .to_owned();
        let attempt = bag
            .load::<RequestAttempts>()
            .map_or(1, RequestAttempts::attempts);
        let duration = bag
            .load::<AttemptStart>()
            .map_or_else(Default::default, |s| s.0.elapsed());
        let status = context
            .response()
            .map(|response| response.status().as_u16());
        let error = match context.output_or_error() {
            Some(Err(error)) => error,
            _ => {
                self.metrics
                    .attempt(&operation, attempt > 1, duration, None);
                tracing::debug!(operation, attempt, ?duration, "s3 request done");
                return Ok(());
            }
        };
        let code = error.as_operation_error().and_then(error_code);
        let class = match (code, status) {
            (Some(code), _) => code.to_owned(),
            (None, Some(status)) => status.to_string(),
            (None, None) if error.is_timeout_error() => "timeout".to_owned(),
            (None, None) => "transport".to_owned(),
        };
        self.metrics
            .attempt(&operation, attempt > 1, duration, Some(&class));
        let slow_down = code == Some("SlowDown") || status == Some(503);
        if slow_down || classify(code, status) == Some(ErrorKind::ThrottlingError) {
            self.metrics.throttled(&operation);
        }
        // Answers below 500 are mostly meant: a key that is not there, a condition that failed.
        if status.is_none_or(|status| status >= 500) {
            tracing::warn!(operation, attempt, error = class, "s3 request failed");
        } else {
            tracing::debug!(operation, attempt, error = class, "s3 request refused");
        }
        Ok(())
    }
}
