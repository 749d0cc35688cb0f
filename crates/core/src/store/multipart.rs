//! The four requests of a multipart upload. What bounds and orders them is [`crate::multipart`].

use std::fmt;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Expected, ObjectInfo, Store, StoreError, StoreErrorKind, TOKEN_FIELD, WriteToken};
use crate::crc::Crc;

/// The server's name for an open multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadId(String);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An acknowledged part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// Its number, from 1 to 10,000.
    pub number: u32,
    /// The ETag that the server gave it.
    pub etag: String,
    /// The CRC64NVME of its bytes.
    pub crc: Crc,
}

impl Store {
    /// Opens an upload whose parts and whole the server checks by CRC64NVME.
    pub(crate) async fn create_multipart(
        &self,
        key: &str,
        token: &WriteToken,
    ) -> Result<UploadId, StoreError> {
        let failed = |error| StoreError::from_sdk("CreateMultipartUpload", self.url(key), error);
        let output = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject)
            .metadata(TOKEN_FIELD, token.to_string())
            .send()
            .await
            .map_err(failed)?;
        output
            .upload_id()
            .map(|id| UploadId(id.to_owned()))
            .ok_or_else(|| {
                let detail = "the server gave no upload id";
                StoreError::new(
                    StoreErrorKind::Refused,
                    "CreateMultipartUpload",
                    self.url(key),
                    detail,
                )
            })
    }

    /// Sends one part; a retry sends the same buffer again.
    pub(crate) async fn upload_part(
        &self,
        key: &str,
        upload: &UploadId,
        number: u32,
        body: Bytes,
        crc: Crc,
    ) -> Result<StoredPart, StoreError> {
        let size = body.len() as u64;
        let output = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.0)
            .part_number(i32::try_from(number).unwrap_or(i32::MAX))
            .checksum_crc64_nvme(crc.to_string())
            .body(ByteStream::from(body))
            .customize()
            .disable_payload_signing()
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("UploadPart", self.url(key), error))?;
        self.metrics.sent("UploadPart", size);
        let etag = super::unquoted(output.e_tag());
        if etag.is_empty() {
            let detail = "the server acknowledged a part without an ETag";
            let url = self.url(key);
            return Err(StoreError::new(
                StoreErrorKind::Refused,
                "UploadPart",
                url,
                detail,
            ));
        }
        Ok(StoredPart { number, etag, crc })
    }

    /// Makes the object out of its parts, which must not exist yet.
    ///
    /// # Errors
    /// As [`Store::put_new`].
    pub async fn complete_multipart(
        &self,
        key: &str,
        upload: &UploadId,
        parts: &[StoredPart],
        expected: &Expected<'_>,
    ) -> Result<ObjectInfo, StoreError> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
                .e_tag(&part.etag)
                .checksum_crc64_nvme(part.crc.to_string())
                .build()
        });
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.0)
            .multipart_upload(parts)
            .checksum_type(ChecksumType::FullObject)
            .checksum_crc64_nvme(expected.crc.to_string())
            .mpu_object_size(i64::try_from(expected.size).unwrap_or(i64::MAX))
            .if_none_match("*")
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("CompleteMultipartUpload", self.url(key), error));
        match completed {
            Ok(output) => Ok(ObjectInfo {
                size: expected.size,
                etag: super::unquoted(output.e_tag()),
                version_id: output.version_id().map(str::to_owned),
                crc: Some(expected.crc),
                token: Some(expected.token.clone()),
            }),
            Err(error) => self.settle(key, expected, error).await,
        }
    }

    /// Gives up an upload and its parts. One that is gone already is as good.
    pub(crate) async fn abort_multipart(
        &self,
        key: &str,
        upload: &UploadId,
    ) -> Result<(), StoreError> {
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key);
        match request.upload_id(&upload.0).send().await {
            Ok(_) => Ok(()),
            Err(error) if super::code(&error) == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(StoreError::from_sdk(
                "AbortMultipartUpload",
                self.url(key),
                error,
            )),
        }
    }
}
