//! The last request of a multipart upload, which S3 may work on for minutes.
//!
//! An attempt that got no answer may still be at work. If the next attempt then gets a 404 or 409,
//! the earlier one may be the reason, and giving up the upload would spoil what is about to
//! succeed. So the outcome is *unknown*, and HEAD and ListParts are asked for as long as requests
//! are retried: either the object exists, or the upload is still open and is completed again, or
//! nobody knows.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

use super::observe::MeantToBeRefused;
use super::{
    Condition, Expected, LONGEST_ATTEMPT, Store, StoreError, StoreErrorKind, StoredPart, UploadId,
    WrittenObject,
};

/// Complete gets this many times the timeout of any other request.
const LEAST_TIMEOUTS: u32 = 5;
/// It gets one more for every this many parts.
const PARTS_PER_TIMEOUT: u32 = 1000;

/// An open upload and the object that it is to become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completion<'a> {
    pub(crate) key: &'a str,
    pub(crate) upload: &'a UploadId,
    pub(crate) parts: &'a [StoredPart],
    pub(crate) expected: Expected<'a>,
    pub(crate) condition: Condition<'a>,
}

impl Store {
    /// Assembles the object from its parts, under `condition`.
    ///
    /// # Errors
    /// As [`RunStore::put_new`](super::RunStore::put_new); [`StoreErrorKind::NoSuchUpload`] and
    /// [`StoreErrorKind::Conflict`] if the upload has to be restarted.
    pub(crate) async fn complete_multipart(
        &self,
        completion: Completion<'_>,
    ) -> Result<WrittenObject, StoreError> {
        let Completion {
            key,
            upload,
            expected,
            condition,
            ..
        } = completion;
        let unconditional = !self.endpoint.has_conditional_completes();
        let in_the_way = match unconditional {
            true => self.standing_in_the_way(key, condition).await?,
            false => None,
        };
        let unanswered = Unanswered::default();
        let complete = || self.complete_once(completion, &unanswered);
        let settled = match in_the_way {
            Some(there) => self.judge(key, &expected, &there, "CompleteMultipartUpload")?,
            None => {
                let mut outcome = complete().await;
                let mut pauses = 0;
                loop {
                    let error = match outcome {
                        Ok(written) => return Ok(written),
                        Err(error) => error,
                    };
                    let error = match self.settle(key, &expected, condition, error).await {
                        Ok(settled) => break settled,
                        Err(error) if unanswered.may_be_why(error.kind) => error,
                        Err(error) => return Err(error),
                    };
                    if unanswered.is_older_than(self.retry_timeout) {
                        return Err(error.of_kind(StoreErrorKind::Unknown));
                    }
                    tracing::warn!(key, %error, "waiting for an earlier Complete to finish");
                    pauses += 1;
                    tokio::time::sleep(super::retry::pause(pauses)).await;
                    outcome = match self.list_parts(key, upload).await {
                        Err(gone) if gone.kind == StoreErrorKind::NoSuchUpload => Err(error),
                        // Still open, or there is no way to find out.
                        _ => complete().await,
                    };
                }
            }
        };
        // If another process of the run made the object, this upload is still open.
        if let Err(error) = self.abort_multipart(key, upload).await {
            tracing::warn!(key, upload = %upload, %error, "an upload may still be open");
        }
        Ok(settled)
    }

    /// [`Store::complete_multipart`] without checking what is there, before or after.
    pub(crate) async fn complete_once(
        &self,
        completion: Completion<'_>,
        unanswered: &Unanswered,
    ) -> Result<WrittenObject, StoreError> {
        let Completion {
            key,
            parts,
            expected,
            condition,
            ..
        } = completion;
        let timeout = time_for(parts.len(), self.attempt_timeout);
        let has_crc = self.endpoint.has_full_object_crc();
        let parts = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
                .e_tag(&part.etag)
                .set_checksum_crc64_nvme(has_crc.then(|| part.crc.to_string()))
                .build()
        });
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .upload_id(&completion.upload.0)
            .multipart_upload(parts)
            .set_checksum_type(has_crc.then_some(ChecksumType::FullObject))
            .set_checksum_crc64_nvme(has_crc.then(|| expected.crc.to_string()))
            .mpu_object_size(i64::try_from(expected.size).unwrap_or(i64::MAX));
        let request = match condition {
            _ if !self.endpoint.has_conditional_completes() => request,
            Condition::Absent | Condition::Unmet => request.if_none_match("*"),
            Condition::Unchanged(etag) => request.if_match(format!("\"{etag}\"")),
        };
        let output = request
            .customize()
            .interceptor(unanswered.clone())
            .interceptor(MeantToBeRefused(condition == Condition::Unmet))
            .config_override(super::client::completing(timeout))
            .send()
            .await
            .map_err(|error| {
                StoreError::from_sdk("CompleteMultipartUpload", self.url(key), error)
            })?;
        Ok(WrittenObject {
            etag: super::unquoted(output.e_tag()),
            version_id: output.version_id().map(str::to_owned),
            verified: expected.proof,
        })
    }
}

/// The timeout of one attempt to complete an upload of `parts` parts.
fn time_for(parts: usize, attempt_timeout: Duration) -> Duration {
    let more = u32::try_from(parts).unwrap_or(u32::MAX) / PARTS_PER_TIMEOUT;
    let timeout = attempt_timeout.saturating_mul(LEAST_TIMEOUTS.saturating_add(more));
    timeout.min(LONGEST_ATTEMPT)
}

/// When an attempt to complete first ended without an answer, if one did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unanswered(Arc<OnceLock<Instant>>);

impl Unanswered {
    /// Whether the unanswered attempt may be the reason for an error of this kind.
    fn may_be_why(&self, kind: StoreErrorKind) -> bool {
        let gone_or_busy = matches!(
            kind,
            StoreErrorKind::NoSuchUpload | StoreErrorKind::NotFound | StoreErrorKind::Conflict
        );
        gone_or_busy && self.0.get().is_some()
    }

    fn is_older_than(&self, time: Duration) -> bool {
        self.0.get().is_some_and(|begin| begin.elapsed() >= time)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Unanswered {
    fn name(&self) -> &'static str {
        "lob-tools: attempts without an answer"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let failed = !matches!(context.output_or_error(), Some(Ok(_)));
        let status = context
            .response()
            .map(|response| response.status().as_u16());
        // A 200 may break off or contain an error, and whoever answers 500 may have passed the
        // request on.
        if failed && status.is_none_or(|status| !(300..500).contains(&status)) {
            self.0.get_or_init(Instant::now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_of_complete_is_minutes_and_grows_with_the_parts() {
        let minutes = |parts| time_for(parts, Duration::from_secs(60)).as_secs() / 60;
        assert_eq!([1, 1000, 10_000].map(minutes), [5, 6, 15]);
        assert_eq!(time_for(usize::MAX, Duration::MAX), LONGEST_ATTEMPT);
    }
}
