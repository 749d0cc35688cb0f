//! Objects that are created once and never changed, also when a reply gets lost.
//!
//! After a time-out, a broken connection or a refusal that may answer a repetition of what was done
//! already, nobody knows whether the write took effect. HEAD settles it: our token with the same size and CRC means
//! that it did; another object is a conflict; no answer to HEAD is *unknown*.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::{Expected, ObjectInfo, Store, StoreError, StoreErrorKind, TOKEN_FIELD, WriteToken};
use crate::crc::Crc;
use crate::part::HashedPart;

impl Store {
    /// Creates an object that must not exist yet, in one request.
    ///
    /// # Errors
    /// [`StoreErrorKind::AlreadyExists`] where an object of other bytes or of another run stands
    /// there; [`StoreErrorKind::Unknown`] where nobody knows.
    pub async fn put_new(
        &self,
        key: &str,
        body: Bytes,
        token: &WriteToken,
    ) -> Result<ObjectInfo, StoreError> {
        let expected = Expected {
            size: body.len() as u64,
            crc: Crc::of(&body),
            token,
        };
        self.put_hashed(key, body, expected).await
    }

    /// [`Store::put_new`] for a file of one part, whose memory is free again afterwards.
    ///
    /// # Errors
    /// As [`Store::put_new`].
    pub async fn put_part(
        &self,
        key: &str,
        part: HashedPart,
        token: &WriteToken,
    ) -> Result<ObjectInfo, StoreError> {
        let expected = Expected {
            size: part.bytes.len() as u64,
            crc: part.crc,
            token,
        };
        self.put_hashed(key, part.bytes, expected).await
    }

    async fn put_hashed(
        &self,
        key: &str,
        body: Bytes,
        expected: Expected<'_>,
    ) -> Result<ObjectInfo, StoreError> {
        match self.put_if_absent(key, body, &expected).await {
            Ok(info) => Ok(info),
            Err(error) => self.settle(key, &expected, error).await,
        }
    }

    /// Puts an object a second time, which a server that honours conditions refuses.
    ///
    /// # Errors
    /// Any answer but yes and no.
    pub async fn honours_conditions(
        &self,
        key: &str,
        body: Bytes,
        token: &WriteToken,
    ) -> Result<bool, StoreError> {
        let expected = Expected {
            size: body.len() as u64,
            crc: Crc::of(&body),
            token,
        };
        match self.put_if_absent(key, body, &expected).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn put_if_absent(
        &self,
        key: &str,
        body: Bytes,
        expected: &Expected<'_>,
    ) -> Result<ObjectInfo, StoreError> {
        let output = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            .checksum_crc64_nvme(expected.crc.to_string())
            .metadata(TOKEN_FIELD, expected.token.to_string())
            .body(ByteStream::from(body))
            .customize()
            // The CRC header protects the body; hashing it again for the signature would cost more
            // than everything else together.
            .disable_payload_signing()
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("PutObject", self.url(key), error))?;
        self.metrics.sent("PutObject", expected.size);
        Ok(ObjectInfo {
            size: expected.size,
            etag: super::unquoted(output.e_tag()),
            version_id: output.version_id().map(str::to_owned),
            crc: Some(expected.crc),
            token: Some(expected.token.clone()),
        })
    }

    /// Finds out whether a write that ended with `error` took effect all the same.
    pub(super) async fn settle(
        &self,
        key: &str,
        expected: &Expected<'_>,
        error: StoreError,
    ) -> Result<ObjectInfo, StoreError> {
        match self.head(key).await {
            Ok(Some(info)) if expected.is(&info) => {
                tracing::info!(key, "the reply was lost, the object is there");
                Ok(info)
            }
            Ok(Some(_)) if error.kind.is_ambiguous() => {
                Err(error.of_kind(StoreErrorKind::AlreadyExists))
            }
            Err(unanswered) if error.kind.is_ambiguous() => {
                tracing::debug!(key, %unanswered, "the write cannot be settled");
                Err(error.of_kind(StoreErrorKind::Unknown))
            }
            // Refused for a reason that another attempt would meet as well.
            _ => Err(error),
        }
    }
}
