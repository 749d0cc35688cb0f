//! How long to retry a request, how long to wait between attempts, and what limits them.
//!
//! The SDK's standard strategy does the waiting. Only `answer` decides which answers are worth
//! another attempt; for attempts without an answer, the SDK decides. Two things are added: a
//! deadline instead of a number of attempts, so that a request survives an outage; and our own
//! token bucket, which refills over time. The SDK's default bucket is shared by the whole process
//! and never refills, so a bad minute early in the night would use up the retries for the rest of
//! it.

use std::time::{Duration, Instant};

use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;

use super::answer::{self, Again};
use super::operation_error::{error_code, is_of_complete};
use super::proxies;

/// The first wait is at most this long, and doubles from there.
const INITIAL_BACKOFF: Duration = Duration::from_millis(100);
/// No wait is longer than this.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// More attempts than fit into any retry time, so that the time ends them. Not the largest number,
/// since the SDK's identity cache adds up the waits of all attempts when it is created.
const ENOUGH_ATTEMPTS: u32 = 10_000;

/// Tokens in a full bucket: a retry costs 5, a timeout 10.
const BUCKET_CAPACITY: usize = 5000;
/// Tokens that are refilled each second.
const BUCKET_REFILL_PER_SECOND: f32 = 50.0;

/// How often to send bytes that arrive damaged every time.
const MAX_DAMAGED_ATTEMPTS: u32 = 5;

/// The SDK's standard strategy, with full jitter; [`FailedAttempts`] end it. No wait is longer than
/// `timeout`, or it would end long after that.
pub(super) fn retry_config(timeout: Duration) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ENOUGH_ATTEMPTS)
        .with_initial_backoff(INITIAL_BACKOFF)
        .with_max_backoff(MAX_BACKOFF.min(timeout))
}

/// The failed attempts of a request so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailedAttempts {
    first: Instant,
    damaged: u32,
}

impl FailedAttempts {
    /// Starts counting: the first attempt fails now.
    pub(super) fn begin() -> Self {
        Self {
            first: Instant::now(),
            damaged: 0,
        }
    }

    /// Counts a failed attempt by its answer. Only bytes that arrived damaged have a limit.
    pub(super) fn add(&mut self, again: Option<Again>) {
        self.damaged += u32::from(again == Some(Again::Damaged));
    }

    /// Whether to stop retrying, although the last error may be transient.
    pub(super) fn are_enough(&self, timeout: Duration) -> bool {
        self.first.elapsed() >= timeout || self.damaged >= MAX_DAMAGED_ATTEMPTS
    }
}

impl Storable for FailedAttempts {
    type Storer = StoreReplace<Self>;
}

/// Makes the SDK stop after `attempts`.
pub(super) fn no_more_than(attempts: u32) -> RetryConfig {
    retry_config(MAX_BACKOFF).with_max_attempts(attempts)
}

/// How long to wait after a download broke for the `breaks`th time in a row.
pub(super) fn pause(breaks: u32) -> Duration {
    let doubled = INITIAL_BACKOFF.saturating_mul(1 << breaks.min(16));
    doubled.min(MAX_BACKOFF)
}

/// A refilling token bucket for this S3 bucket alone.
pub(super) fn retry_partition(bucket: &str) -> RetryPartition {
    let tokens = TokenBucket::builder()
        .capacity(BUCKET_CAPACITY)
        .refill_rate(BUCKET_REFILL_PER_SECOND);
    RetryPartition::custom(format!("lob-{bucket}"))
        .token_bucket(tokens.build())
        .build()
}

/// Decides whether to retry by the table of answers.
#[derive(Debug)]
pub(super) struct ByAnswer;

impl ClassifyRetry for ByAnswer {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else {
            let failed = context.output_or_error().and_then(Result::err);
            let failed = failed.and_then(OrchestratorError::as_connector_error);
            // A proxy that cannot reach the server now may do so later, but the SDK would give up
            // at once.
            return match failed {
                Some(error) if proxies::failed(error) && !proxies::wants_login(error) => {
                    RetryAction::transient_error()
                }
                _ => RetryAction::NoActionIndicated,
            };
        };
        // An answer that broke off or makes no sense is not an error of the operation.
        let Some(error) = context
            .output_or_error()
            .and_then(|outcome| outcome.err()?.as_operation_error())
        else {
            return RetryAction::NoActionIndicated;
        };
        let code = error_code(error);
        if code == Some(answer::CONFLICT) && is_of_complete(error) {
            return RetryAction::RetryForbidden;
        }
        match answer::of(code, response.status().as_u16()).again {
            Again::Never => RetryAction::RetryForbidden,
            Again::Slower => RetryAction::throttling_error(),
            Again::Later | Again::Damaged => RetryAction::transient_error(),
        }
    }

    fn name(&self) -> &'static str {
        "lob-tools: answers of S3"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::http_status_code_classifier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_retried_for_a_time_and_damaged_bytes_only_a_few_times() {
        let long = Duration::from_secs(1000);
        let after = |attempts: &[Again]| {
            let mut failed = FailedAttempts::begin();
            for again in attempts {
                failed.add(Some(*again));
            }
            failed
        };
        assert!(!after(&[Again::Slower; 1000]).are_enough(long));
        assert!(!after(&[Again::Damaged; 4]).are_enough(long));
        assert!(after(&[Again::Damaged; 5]).are_enough(long));
        assert!(after(&[]).are_enough(Duration::ZERO));
    }

    #[test]
    fn only_bytes_that_arrived_damaged_count_as_damage() {
        let mut failed = FailedAttempts::begin();
        for _ in 0..4 {
            failed.add(Some(Again::Slower));
            failed.add(None);
            failed.add(Some(Again::Damaged));
        }
        assert!(!failed.are_enough(Duration::from_secs(1000)));
        failed.add(Some(Again::Damaged));
        assert!(failed.are_enough(Duration::from_secs(1000)));
    }
}
