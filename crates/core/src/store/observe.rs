//! Watches every attempt of every S3 request: counts it, logs retries, ends them when the time is
//! up, and tells the limiter to slow down.

use std::error::Error;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use super::answer::{self, Again};
use super::operation_error::error_code;
use super::retry::{FailedAttempts, no_more_than};
use crate::failure::Via;
use crate::limiter::Limiter;
use crate::metrics::Metrics;

#[derive(Debug)]
pub(super) struct Observer {
    pub(super) metrics: Metrics,
    pub(super) limiter: Limiter,
    /// How long to keep retrying a request.
    pub(super) retry_timeout: Duration,
}

/// When an attempt began, or when the previous one ended.
#[derive(Debug, Clone, Copy)]
struct AttemptTime(Instant);

impl Storable for AttemptTime {
    type Storer = StoreReplace<Self>;
}

/// Host and port that an attempt is sent to.
#[derive(Debug)]
struct Server(String);

impl Storable for Server {
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
        if let Some(ended) = bag.load::<AttemptTime>() {
            let (operation, waited) = (operation(bag), ended.0.elapsed());
            tracing::info!(operation, ?waited, "retrying s3 request");
        }
        let now = AttemptTime(Instant::now());
        bag.interceptor_state().store_put(now);
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(server) = server(context.request()) {
            bag.interceptor_state().store_put(Server(server));
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = Instant::now();
        let operation = operation(bag).to_owned();
        let attempt = bag
            .load::<RequestAttempts>()
            .map_or(1, RequestAttempts::attempts);
        let begin = bag.load::<AttemptTime>().map_or(now, |time| time.0);
        let duration = now - begin;
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
        let connector = error.as_connector_error();
        let is_timeout =
            error.is_timeout_error() || connector.is_some_and(ConnectorError::is_timeout);
        let class = match (code, status) {
            (Some(code), _) => code.to_owned(),
            (None, Some(status)) => status.to_string(),
            (None, None) if is_timeout => "timeout".to_owned(),
            (None, None) => "transport".to_owned(),
        };
        let is_expected = is_expected(&operation, code, status, bag);
        let class_of_error = (!is_expected).then_some(&*class);
        self.metrics
            .attempt(&operation, attempt > 1, duration, class_of_error);
        if is_expected {
            self.metrics.expected(&operation);
        }
        let again = status.map(|status| answer::of(code, status).again);
        if again == Some(Again::Slower) {
            self.metrics.throttled(&operation);
            self.limiter.slow_down(begin);
        } else if is_timeout {
            // On a slow link, each request gets a larger share when there are fewer.
            self.limiter.slow_down(begin);
        }
        // Statuses below 500 are mostly real answers: a missing key, a condition that failed.
        if status.is_none_or(|status| status >= 500) {
            let server = bag.load::<Server>().map(|server| server.0.as_str());
            let cause = connector.map(innermost);
            let proxy = connector.and_then(|error| Via::blamed(error));
            let proxy = proxy.map(tracing::field::display);
            tracing::warn!(
                operation,
                attempt,
                error = class,
                server,
                proxy,
                cause,
                "s3 request failed"
            );
        } else {
            tracing::debug!(
                operation,
                attempt,
                error = class,
                "s3 request rejected, as expected"
            );
        }
        let failed = bag.load::<FailedAttempts>().copied();
        let mut failed = failed.unwrap_or_else(FailedAttempts::begin);
        failed.add(again);
        let state = bag.interceptor_state();
        state.store_put(failed);
        state.store_put(AttemptTime(now));
        if failed.are_enough(self.retry_timeout) {
            state.store_put(no_more_than(attempt));
        }
        Ok(())
    }
}

/// Whether an answer other than success is expected: that something does not exist, or that a
/// condition is honoured.
fn is_expected(operation: &str, code: Option<&str>, status: Option<u16>, bag: &ConfigBag) -> bool {
    match (operation, status) {
        ("HeadObject", Some(404)) => true,
        ("GetObject", Some(404)) => code == Some("NoSuchKey"),
        // This is the check after an abort.
        ("ListParts", Some(404)) => code == Some("NoSuchUpload"),
        (_, Some(412)) => bag.load::<MeantToBeRefused>().is_some_and(|meant| meant.0),
        _ => false,
    }
}

/// Marks a request whose purpose is to find out whether a condition fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeantToBeRefused(pub(super) bool);

impl Storable for MeantToBeRefused {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for MeantToBeRefused {
    fn name(&self) -> &'static str {
        "lob-tools: refusals on purpose"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(*self);
        Ok(())
    }
}

/// Host and port of a request.
fn server(request: &HttpRequest) -> Option<String> {
    let uri: hyper::Uri = request.uri().parse().ok()?;
    let port = uri.port().map(|port| format!(":{port}"));
    Some(format!("{}{}", uri.host()?, port.unwrap_or_default()))
}

/// The innermost cause of an error, which is the informative one.
fn innermost(error: &ConnectorError) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn operation(bag: &ConfigBag) -> &str {
    bag.load::<Metadata>().map_or("unknown", Metadata::name)
}
