//! The requests of a multipart upload except the last, which is in `completion`. They are limited
//! and ordered by [`crate::transfer`].

use std::fmt;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use serde::{Deserialize, Serialize};

use super::conditional::SignedPayload;
use super::{RunStore, Store, StoreError, StoreErrorKind};
use crate::checksum::Crc;
use crate::limiter::Permit;
use crate::transfer::HashedPart;

/// How often to abort an upload at most: a part that was in flight can land after an abort.
const MAX_ABORTS: u32 = 5;

/// The server's id of an open multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadId(pub(super) String);

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
    /// The ETag that the server assigned.
    pub etag: String,
    /// The CRC64NVME of its bytes.
    pub crc: Crc,
}

/// A part that the server has, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number, from 1 to 10,000.
    pub number: u32,
    /// Size in bytes.
    pub size: u64,
    /// The ETag that the server assigned.
    pub etag: String,
    /// The CRC64NVME, if the server keeps it.
    pub crc: Option<Crc>,
}

impl ListedPart {
    /// Whether this proves that the server has exactly these bytes.
    pub(crate) fn is(&self, part: &HashedPart) -> bool {
        let same_bytes = match (self.crc, part.md5) {
            (Some(crc), _) => crc == part.crc,
            (None, Some(md5)) => md5.to_string() == self.etag,
            (None, None) => false,
        };
        self.size == part.bytes.len() as u64 && same_bytes
    }
}

/// An open multipart upload, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenUpload {
    /// The server's id of the upload.
    #[serde(rename = "upload_id")]
    pub id: UploadId,
    /// When it was opened.
    pub initiated: Option<jiff::Timestamp>,
}

impl RunStore {
    /// Opens an upload whose parts and whole the server checks by CRC64NVME, if it can. Data files
    /// get the storage class and metadata from the settings.
    pub(crate) async fn create_multipart(
        &self,
        key: &str,
        is_data: bool,
    ) -> Result<CreatedUpload, StoreError> {
        let mut request = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.sending.objects.sse_kms_key_id.clone())
            .set_storage_class(self.storage_class(is_data))
            .set_metadata(Some(self.metadata(self.token(), is_data)));
        if self.endpoint.has_full_object_crc() {
            request = request
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .checksum_type(ChecksumType::FullObject);
        }
        let output = request
            .customize()
            // Google refuses a POST without an explicit empty body.
            .mutate_request(|request| {
                request.headers_mut().insert("content-length", "0");
            })
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("CreateMultipartUpload", self.url(key), error))?;
        match output.upload_id() {
            Some(id) => Ok(CreatedUpload {
                id: UploadId(id.to_owned()),
                full_object_crc: output.checksum_type() == Some(&ChecksumType::FullObject),
            }),
            None => Err(StoreError::new(
                StoreErrorKind::Refused,
                "CreateMultipartUpload",
                self.url(key),
                "the server gave no upload id",
            )),
        }
    }
}

impl Store {
    /// Sends one part; a retry sends the same buffer again.
    pub(crate) async fn upload_part(
        &self,
        key: &str,
        upload: &UploadId,
        number: u32,
        part: HashedPart,
        permit: Permit,
    ) -> Result<StoredPart, StoreError> {
        let HashedPart { bytes, crc, md5 } = part;
        let size = bytes.len() as u64;
        let mut request = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .upload_id(&upload.0)
            .part_number(i32::try_from(number).unwrap_or(i32::MAX));
        let md5 = md5.filter(|_| !self.endpoint.has_full_object_crc());
        request = match md5 {
            Some(md5) => request.content_md5(md5.to_base64()),
            None if self.endpoint.has_full_object_crc() => {
                request.checksum_crc64_nvme(crc.to_string())
            }
            None => request,
        };
        let output = request
            .body(self.body(bytes))
            .customize()
            .interceptor(SignedPayload(None))
            .config_override(super::client::with_body(self.body_timeout(size)))
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("UploadPart", self.url(key), error))?;
        permit.succeeded(size);
        self.metrics.sent("UploadPart", size);
        let etag = super::unquoted(output.e_tag());
        let refused = |kind, detail| {
            let url = self.url(key);
            Err(StoreError::new(kind, "UploadPart", url, detail))
        };
        if etag.is_empty() {
            let detail = "the server acknowledged a part without an ETag";
            return refused(StoreErrorKind::Refused, detail);
        }
        if md5.is_some_and(|md5| md5.to_string() != etag) {
            let detail = "the server's ETag is not the MD5 of the part that was sent";
            return refused(StoreErrorKind::Integrity, detail);
        }
        Ok(StoredPart { number, etag, crc })
    }

    /// Gives up an upload and its parts. It is fine if the upload is already gone.
    ///
    /// # Errors
    /// Any error of the store, and parts that keep arriving.
    pub async fn abort_multipart(&self, key: &str, upload: &UploadId) -> Result<(), StoreError> {
        for _ in 0..MAX_ABORTS {
            let request = self.client.abort_multipart_upload();
            let aborted = request
                .bucket(&self.bucket)
                .key(key)
                .set_expected_bucket_owner(self.owner.clone())
                .upload_id(&upload.0)
                .send()
                .await;
            if let Err(error) = aborted {
                let url = self.url(key);
                let error = StoreError::from_sdk("AbortMultipartUpload", url, error).of_upload();
                if error.kind != StoreErrorKind::NoSuchUpload {
                    return Err(error);
                }
            }
            // S3 says to check whether a part landed after the abort, and to abort again if so (API
            // reference of `AbortMultipartUpload`).
            match self.list_parts(key, upload).await {
                Ok(parts) if !parts.is_empty() => {}
                Err(error)
                    if !matches!(
                        error.kind,
                        StoreErrorKind::NoSuchUpload | StoreErrorKind::Unsupported
                    ) =>
                {
                    return Err(error);
                }
                // Gone, or there is no way to check.
                _ => return Ok(()),
            }
        }
        let detail = "parts keep arriving, perhaps from another process";
        let (kind, url) = (StoreErrorKind::Conflict, self.url(key));
        Err(StoreError::new(kind, "AbortMultipartUpload", url, detail))
    }

    /// The parts of an upload that the server has.
    ///
    /// # Errors
    /// [`StoreErrorKind::NoSuchUpload`]; any page that cannot be read: a list is either complete or
    /// an error.
    pub async fn list_parts(
        &self,
        key: &str,
        upload: &UploadId,
    ) -> Result<Vec<ListedPart>, StoreError> {
        let request = self.client.list_parts().bucket(&self.bucket).key(key);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let mut pages = request.upload_id(&upload.0).into_paginator().send();
        let (mut parts, mut goes_on) = (Vec::new(), false);
        while let Some(page) = pages.next().await {
            let failed = |e| StoreError::from_sdk("ListParts", self.url(key), e).of_upload();
            let page = page.map_err(failed)?;
            goes_on = page.is_truncated() == Some(true);
            parts.extend(page.parts().iter().filter_map(|part| {
                Some(ListedPart {
                    number: u32::try_from(part.part_number()?).ok()?,
                    size: u64::try_from(part.size()?).ok()?,
                    etag: super::unquoted(part.e_tag()),
                    crc: part.checksum_crc64_nvme().and_then(|crc| crc.parse().ok()),
                })
            }));
        }
        self.whole("ListParts", key, goes_on)?;
        Ok(parts)
    }

    /// The open uploads of exactly this key.
    ///
    /// # Errors
    /// Any page cannot be read.
    pub async fn open_uploads(&self, key: &str) -> Result<Vec<OpenUpload>, StoreError> {
        let mut uploads = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .set_expected_bucket_owner(self.owner.clone())
                .prefix(uploads_prefix(&self.bucket, key))
                .set_key_marker(key_marker.clone())
                .set_upload_id_marker(id_marker.clone())
                .send()
                .await
                .map_err(|e| StoreError::from_sdk("ListMultipartUploads", self.url(key), e))?;
            let of_key = page.uploads().iter().filter(|u| u.key() == Some(key));
            uploads.extend(of_key.filter_map(|upload| {
                Some(OpenUpload {
                    id: UploadId(upload.upload_id()?.to_owned()),
                    initiated: upload.initiated().and_then(timestamp),
                })
            }));
            if page.is_truncated() != Some(true) {
                return Ok(uploads);
            }
            let next_key = page.next_key_marker().map(str::to_owned);
            let next_id = page.next_upload_id_marker().map(str::to_owned);
            let is_stuck = next_key.is_none() || (&next_key, &next_id) == (&key_marker, &id_marker);
            self.whole("ListMultipartUploads", key, is_stuck)?;
            (key_marker, id_marker) = (next_key, next_id);
        }
    }
}

/// The prefix that finds the uploads of a key: MinIO needs the whole key, and a bucket of S3
/// Express, recognised by its name, needs the folder (API reference of `ListMultipartUploads`).
fn uploads_prefix<'a>(bucket: &str, key: &'a str) -> &'a str {
    match key.rsplit_once('/') {
        Some((folder, _)) if bucket.ends_with("--x-s3") => &key[..=folder.len()],
        None if bucket.ends_with("--x-s3") => "",
        _ => key,
    }
}

/// An upload that the server has opened.
#[derive(Debug)]
pub(crate) struct CreatedUpload {
    pub(crate) id: UploadId,
    /// Whether the server promises to compute the CRC of the whole object.
    pub(crate) full_object_crc: bool,
}

fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_found_by_key_but_in_s3_express_by_folder() {
        assert_eq!(
            uploads_prefix("lob", "runs/a/x.parquet"),
            "runs/a/x.parquet"
        );
        let express = "lob--euc1-az1--x-s3";
        assert_eq!(uploads_prefix(express, "runs/a/x.parquet"), "runs/a/");
        assert_eq!(uploads_prefix(express, "x.parquet"), "");
    }
}
