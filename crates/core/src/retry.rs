//! Which S3 errors are worth another attempt, how long to wait, when to give up, and who pays.
//!
//! The SDK's standard strategy does the waiting. What it lacks is added here: error codes and
//! statuses that S3 and its compatibles answer with and that pass by themselves; an end that is a
//! time and no number of attempts, so that a request outlives an outage; and a token bucket of our
//! own that refills with time. The SDK's default one is shared by the whole process and never
//! refills, so a bad minute early in a night would use up the retries of the rest.

use std::time::{Duration, Instant};

use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::{
    Error as TypeErasedError, InterceptorContext,
};
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_smithy_types::retry::{ErrorKind, RetryConfig};

/// The first wait is at most this long; it doubles from there.
const INITIAL_BACKOFF: Duration = Duration::from_millis(100);
/// No wait is longer than this.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// More attempts than fit into any time: time is what ends them. Not the largest number, since the
/// SDK's identity cache adds up the waits of all attempts when it is made.
const ENOUGH_ATTEMPTS: u32 = 10_000;

/// Retries that may be pending before the bucket is empty: a retry costs 5 tokens, a time-out 10.
const BUCKET_CAPACITY: usize = 5000;
/// Tokens that come back each second.
const BUCKET_REFILL_PER_SECOND: f32 = 50.0;

/// Codes of bytes that arrived damaged. The same buffer is sent again, but only so often: what
/// arrives damaged each time is damaged here.
const DAMAGE_CODES: [&str; 4] = [
    "BadDigest",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
    "IncompleteBody",
];
const MAX_DAMAGED_ATTEMPTS: u32 = 5;

/// Codes that S3 or a compatible server gives for a request that may succeed when repeated.
const TRANSIENT_CODES: [&str; 3] = [
    // The SDK corrects its clock from the answer, so the next attempt is signed with another time.
    "RequestTimeTooSkewed",
    "OperationAborted",
    CONFLICT,
];
/// Another write of the same key is under way, perhaps our own earlier attempt.
pub(crate) const CONFLICT: &str = "ConditionalRequestConflict";
/// Codes that ask for fewer requests and that the SDK does not know.
const THROTTLING_CODES: [&str; 3] = ["SlowDownWrite", "SlowDownRead", "TooManyRequestsException"];
/// Statuses that a proxy or a server gives before S3's own code runs. 499 and 520 are those of
/// nginx and Cloudflare for a connection that broke on their way.
const TRANSIENT_STATUSES: [u16; 3] = [408, 499, 520];
const TOO_MANY_REQUESTS: u16 = 429;

/// The SDK's standard strategy, with full jitter; [`FailedAttempts`] end it.
/// No wait is longer than the whole `timeout`, or the end would come long after it.
pub(crate) fn retry_config(timeout: Duration) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ENOUGH_ATTEMPTS)
        .with_initial_backoff(INITIAL_BACKOFF)
        .with_max_backoff(MAX_BACKOFF.min(timeout))
}

/// What has become of the attempts of one request so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedAttempts {
    first: Instant,
    damaged: u32,
}

impl FailedAttempts {
    /// None yet; the first one fails now.
    pub(crate) fn begin() -> Self {
        Self {
            first: Instant::now(),
            damaged: 0,
        }
    }

    /// Counts one that ended with this S3 code. Only bytes that arrived damaged have a number.
    pub(crate) fn add(&mut self, code: Option<&str>) {
        self.damaged += u32::from(code.is_some_and(|code| DAMAGE_CODES.contains(&code)));
    }

    /// Whether the request is not to be repeated, although its last error may pass.
    pub(crate) fn are_enough(&self, timeout: Duration) -> bool {
        self.first.elapsed() >= timeout || self.damaged >= MAX_DAMAGED_ATTEMPTS
    }
}

impl Storable for FailedAttempts {
    type Storer = StoreReplace<Self>;
}

/// Makes the SDK stop after `attempts`.
pub(crate) fn no_more_than(attempts: u32) -> RetryConfig {
    retry_config(MAX_BACKOFF).with_max_attempts(attempts)
}

/// How long to wait after a download broke for the `breaks`th time in a row.
pub(crate) fn pause(breaks: u32) -> Duration {
    let doubled = INITIAL_BACKOFF.saturating_mul(1 << breaks.min(16));
    doubled.min(MAX_BACKOFF)
}

/// A token bucket for this bucket alone, that refills.
pub(crate) fn retry_partition(bucket: &str) -> RetryPartition {
    let tokens = TokenBucket::builder()
        .capacity(BUCKET_CAPACITY)
        .refill_rate(BUCKET_REFILL_PER_SECOND);
    RetryPartition::custom(format!("lob-{bucket}"))
        .token_bucket(tokens.build())
        .build()
}

/// Adds the codes and statuses above to what the SDK retries.
#[derive(Debug)]
pub(crate) struct S3RetryClassifier {
    /// Finds the S3 error code in the error of any operation.
    pub(crate) code_of: fn(&TypeErasedError) -> Option<&str>,
    /// Whether the error is that of an operation that must not be repeated after a conflict.
    pub(crate) conflict_is_final: fn(&TypeErasedError) -> bool,
}

/// What a code and a status say about another attempt; `None` leaves it to the SDK.
pub(crate) fn classify(code: Option<&str>, status: Option<u16>) -> Option<ErrorKind> {
    match (code, status) {
        (Some(code), _) if TRANSIENT_CODES.contains(&code) || DAMAGE_CODES.contains(&code) => {
            Some(ErrorKind::TransientError)
        }
        (Some(code), _) if THROTTLING_CODES.contains(&code) => Some(ErrorKind::ThrottlingError),
        (_, Some(TOO_MANY_REQUESTS)) => Some(ErrorKind::ThrottlingError),
        (_, Some(status)) if TRANSIENT_STATUSES.contains(&status) => {
            Some(ErrorKind::TransientError)
        }
        _ => None,
    }
}

impl ClassifyRetry for S3RetryClassifier {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context
            .response()
            .map(|response| response.status().as_u16());
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let error = error.as_operation_error();
        let code = error.and_then(self.code_of);
        if code == Some(CONFLICT) && error.is_some_and(self.conflict_is_final) {
            return RetryAction::RetryForbidden;
        }
        match classify(code, status) {
            Some(ErrorKind::ThrottlingError) => RetryAction::throttling_error(),
            Some(_) => RetryAction::transient_error(),
            None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "lob-tools: S3 codes and statuses"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::http_status_code_classifier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_repeated_for_a_time_and_damaged_bytes_only_so_often() {
        let long = Duration::from_secs(1000);
        let after = |codes: &[&str]| {
            let mut failed = FailedAttempts::begin();
            for code in codes {
                failed.add(Some(code));
            }
            failed
        };
        assert!(!after(&["SlowDown"; 1000]).are_enough(long));
        assert!(!after(&["BadDigest"; 4]).are_enough(long));
        assert!(after(&["BadDigest"; 5]).are_enough(long));
        assert!(after(&[]).are_enough(Duration::ZERO));
    }

    #[test]
    fn only_what_arrived_damaged_is_counted_as_damage() {
        let mut failed = FailedAttempts::begin();
        for _ in 0..4 {
            failed.add(Some("SlowDown"));
            failed.add(None);
            failed.add(Some("BadDigest"));
        }
        assert!(!failed.are_enough(Duration::from_secs(1000)));
        failed.add(Some("IncompleteBody"));
        assert!(failed.are_enough(Duration::from_secs(1000)));
    }

    #[test]
    fn what_passes_by_itself_is_retried_and_what_does_not_is_left_to_the_sdk() {
        for (code, status, expected) in [
            (Some("BadDigest"), 400, Some(ErrorKind::TransientError)),
            (
                Some("XAmzContentChecksumMismatch"),
                400,
                Some(ErrorKind::TransientError),
            ),
            (
                Some("RequestTimeTooSkewed"),
                403,
                Some(ErrorKind::TransientError),
            ),
            (Some("SlowDownWrite"), 503, Some(ErrorKind::ThrottlingError)),
            (Some("SlowDownRead"), 503, Some(ErrorKind::ThrottlingError)),
            (None, 408, Some(ErrorKind::TransientError)),
            (None, 429, Some(ErrorKind::ThrottlingError)),
            (None, 499, Some(ErrorKind::TransientError)),
            (None, 520, Some(ErrorKind::TransientError)),
            (Some("AccessDenied"), 403, None),
            (Some("PreconditionFailed"), 412, None),
            (None, 404, None),
        ] {
            assert_eq!(classify(code, Some(status)), expected, "{code:?} {status}");
        }
    }
}
