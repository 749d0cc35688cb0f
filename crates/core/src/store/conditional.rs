//! Objects that are created once and never changed, even if a reply is lost.
//!
//! After a timeout, a broken connection or a refusal that may have been caused by our own earlier
//! attempt, nobody knows whether the write took effect. HEAD settles it: our token with the same
//! size and CRC means that it did; any other object is a conflict; no answer to HEAD is *unknown*.

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use bytes::Bytes;

use super::Verified;
use super::observe::MeantToBeRefused;
use super::{Expected, ObjectInfo, RunStore, Store, StoreError, StoreErrorKind, WrittenObject};
use crate::checksum::Crc;
use crate::checksum::{Md5, Sha256};
use crate::transfer::{FileHashes, HashedPart};

/// What a write depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// There is no object with that name.
    Absent,
    /// The object has this ETag: it cannot be proved, so it is written again.
    Unchanged(&'a str),
    /// There is no object with that name, although there is one: a server that honours conditions
    /// refuses, which is what we want to know.
    Unmet,
}

/// The body of a put, and what is known about it.
struct Body<'a> {
    bytes: Bytes,
    crc: Crc,
    md5: Option<Md5>,
    /// The signature covers the body if its hash is known anyway.
    sha256: Option<Sha256>,
    /// A data file gets the storage class and metadata from the settings.
    is_data: bool,
    condition: Condition<'a>,
}

impl RunStore {
    /// Creates an object that must not exist yet, in one request.
    ///
    /// # Errors
    /// [`StoreErrorKind::AlreadyExists`] if there is an object with other bytes or of another run;
    /// [`StoreErrorKind::Unknown`] if nobody knows.
    pub async fn put_new(&self, key: &str, body: Bytes) -> Result<WrittenObject, StoreError> {
        let body = self.hashed(body);
        self.put(key, body).await
    }

    /// Replaces the object that has this `etag` by these bytes.
    ///
    /// # Errors
    /// As [`RunStore::put_new`], if the object is no longer the one that was seen.
    pub async fn put_over(
        &self,
        key: &str,
        body: Bytes,
        etag: &str,
    ) -> Result<WrittenObject, StoreError> {
        let body = Body {
            condition: Condition::Unchanged(etag),
            ..self.hashed(body)
        };
        self.put(key, body).await
    }

    /// [`RunStore::put_new`] for a data file of one part, whose memory is freed afterwards.
    ///
    /// # Errors
    /// As [`RunStore::put_new`].
    pub async fn put_file(
        &self,
        key: &str,
        part: HashedPart,
        hashes: &FileHashes,
        condition: Condition<'_>,
    ) -> Result<WrittenObject, StoreError> {
        let body = Body {
            bytes: part.bytes,
            crc: part.crc,
            md5: part.md5,
            sha256: Some(hashes.contents.sha256),
            is_data: true,
            condition,
        };
        let (permit, size) = (self.permit().await, body.bytes.len() as u64);
        let written = self.put(key, body).await?;
        permit.succeeded(size);
        Ok(written)
    }

    fn hashed(&self, bytes: Bytes) -> Body<'static> {
        Body {
            crc: Crc::of(&bytes),
            md5: (self.endpoint.proof_of_put() == Verified::PartMd5).then(|| Md5::of(&bytes)),
            // Plan, records and manifest are small, and everything else is judged by them.
            sha256: Some(Sha256::of(&bytes)),
            bytes,
            is_data: false,
            condition: Condition::Absent,
        }
    }

    async fn put(&self, key: &str, body: Body<'_>) -> Result<WrittenObject, StoreError> {
        let etag = body.md5.map(|md5| md5.to_string());
        let expected = Expected {
            size: body.bytes.len() as u64,
            crc: body.crc,
            token: self.token(),
            proof: self.endpoint.proof_of_put(),
            etag: etag.as_deref(),
        };
        let condition = body.condition;
        if !self.endpoint.conditional_writes
            && let Some(there) = self.standing_in_the_way(key, condition).await?
        {
            return self.judge(key, &expected, &there, "PutObject");
        }
        match self.put_once(key, body).await {
            Ok(written) => Ok(written),
            Err(error) => self.settle(key, &expected, condition, error).await,
        }
    }

    /// Whether the server honours conditions: puts an object a second time, which it then refuses.
    /// Skipped if it is already known not to.
    ///
    /// # Errors
    /// Any answer other than yes, no, or that conditions are not supported.
    pub(crate) async fn honours_conditions(
        &self,
        key: &str,
        body: Bytes,
    ) -> Result<bool, StoreError> {
        let body = Body {
            condition: Condition::Unmet,
            ..self.hashed(body)
        };
        match self.put_once(key, body).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => Ok(true),
            Err(error) if error.kind == StoreErrorKind::Unsupported => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces the object that has this `etag` by these bytes. A lost reply is not settled:
    /// [`StoreErrorKind::AlreadyExists`] may be the answer to our own success.
    ///
    /// # Errors
    /// Any error of the store.
    pub(crate) async fn replace(
        &self,
        key: &str,
        bytes: Bytes,
        etag: &str,
    ) -> Result<(), StoreError> {
        let body = Body {
            condition: Condition::Unchanged(etag),
            ..self.hashed(bytes)
        };
        self.put_once(key, body).await.map(drop)
    }

    async fn put_once(&self, key: &str, body: Body<'_>) -> Result<WrittenObject, StoreError> {
        let size = body.bytes.len() as u64;
        let verified = self.endpoint.proof_of_put();
        let mut request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.sending.objects.sse_kms_key_id.clone())
            .set_storage_class(self.storage_class(body.is_data))
            .set_metadata(Some(self.metadata(self.token(), body.is_data)));
        request = match body.condition {
            _ if !self.endpoint.conditional_writes => request,
            Condition::Absent | Condition::Unmet => request.if_none_match("*"),
            Condition::Unchanged(etag) => request.if_match(format!("\"{etag}\"")),
        };
        request = match (verified, body.md5) {
            (Verified::FullObjectCrc, _) => request.checksum_crc64_nvme(body.crc.to_string()),
            (_, Some(md5)) => request.content_md5(md5.to_base64()),
            (_, None) => request,
        };
        let output = request
            .body(self.body(body.bytes))
            .customize()
            .interceptor(MeantToBeRefused(body.condition == Condition::Unmet))
            .interceptor(SignedPayload(body.sha256))
            .config_override(super::client::with_body(self.body_timeout(size)))
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("PutObject", self.url(key), error))?;
        self.metrics.sent("PutObject", size);
        let etag = super::unquoted(output.e_tag());
        if body.md5.is_some_and(|md5| md5.to_string() != etag) {
            let detail = "the server's ETag is not the MD5 of what was sent";
            let (kind, url) = (StoreErrorKind::Integrity, self.url(key));
            return Err(StoreError::new(kind, "PutObject", url, detail));
        }
        Ok(WrittenObject {
            etag,
            version_id: output.version_id().map(str::to_owned),
            verified,
        })
    }
}

impl Store {
    /// The object that exists although the condition says otherwise, for servers that ignore
    /// conditions.
    pub(super) async fn standing_in_the_way(
        &self,
        key: &str,
        condition: Condition<'_>,
    ) -> Result<Option<ObjectInfo>, StoreError> {
        let there = self.head(key).await?;
        Ok(there.filter(|there| condition != Condition::Unchanged(&there.etag)))
    }

    /// Checks whether the existing object is what was to be written.
    pub(super) fn judge(
        &self,
        key: &str,
        expected: &Expected<'_>,
        there: &ObjectInfo,
        operation: &'static str,
    ) -> Result<WrittenObject, StoreError> {
        if expected.is(there) {
            return Ok(WrittenObject {
                etag: there.etag.clone(),
                version_id: there.version_id.clone(),
                verified: expected.proof,
            });
        }
        let (kind, url) = (StoreErrorKind::AlreadyExists, self.url(key));
        let detail = "a different object is there";
        Err(StoreError::new(kind, operation, url, detail))
    }

    /// Finds out whether a write that ended with `error` took effect after all.
    pub(super) async fn settle(
        &self,
        key: &str,
        expected: &Expected<'_>,
        condition: Condition<'_>,
        error: StoreError,
    ) -> Result<WrittenObject, StoreError> {
        if !error.kind.is_ambiguous() {
            return Err(error);
        }
        match self.head(key).await {
            // The object to be replaced is still there.
            Ok(Some(info)) if condition == Condition::Unchanged(&info.etag) => Err(error),
            Ok(Some(info)) => {
                let operation = error.operation();
                let settled = self.judge(key, expected, &info, operation);
                let settled = settled.map_err(|_| error.of_kind(StoreErrorKind::AlreadyExists))?;
                tracing::info!(
                    key,
                    operation,
                    "the reply was lost, but the object is there"
                );
                Ok(settled)
            }
            Ok(None) => Err(error),
            Err(unanswered) => {
                tracing::debug!(key, %unanswered, "the outcome of the write is unknown");
                Err(error.of_kind(StoreErrorKind::Unknown))
            }
        }
    }
}

/// Signs the body with a hash that is already known, or not at all: the CRC header protects it, and
/// hashing it again for the signature would cost more than everything else together.
#[derive(Debug)]
pub(super) struct SignedPayload(pub(super) Option<Sha256>);

#[dyn_dispatch_hint]
impl Intercept for SignedPayload {
    fn name(&self) -> &'static str {
        "lob-tools: payload hash"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let signing = match self.0 {
            Some(sha256) => PayloadSigningOverride::Precomputed(sha256.to_string()),
            None => PayloadSigningOverride::UnsignedPayload,
        };
        bag.interceptor_state().store_put(signing);
        Ok(())
    }
}
