//! Put, get, head and delete of whole objects.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use s3s::dto::{
    ChecksumMode, DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::attributes::{Attributes, Encryption};
use super::backend::Backend;
use super::checksum::{Checksum, verify};
use super::storage::{Object, md5, size};

impl Backend {
    pub(crate) async fn put(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let encryption = Encryption {
            algorithm: input.server_side_encryption,
            kms_key_id: input.ssekms_key_id,
        };
        let (metadata, content_type) = (input.metadata, input.content_type);
        let attributes = Attributes::new(metadata, content_type, input.storage_class, encryption)?;
        let content = received(input.body, input.content_md5.as_deref()).await?;
        let weaknesses = self.weaknesses;
        let claim = weaknesses.claimed(&request.headers, request.trailing_headers.as_ref())?;
        let checksum = weaknesses.kept(verify(claim, &content)?);
        let mut object = Object::put(content, checksum, attributes);
        object.etag = weaknesses.etag(object.etag);

        let mut storage = self.storage();
        let bucket = storage.bucket(&input.bucket)?;
        if !weaknesses.ignores_conditions_on_put() {
            let (if_none_match, if_match) = (&input.if_none_match, &input.if_match);
            bucket.check_conditions(&input.key, if_none_match.as_ref(), if_match.as_ref())?;
        }
        let output = PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            server_side_encryption: object.attributes.encryption.algorithm.clone(),
            ssekms_key_id: object.attributes.encryption.kms_key_id.clone(),
            ..PutObjectOutput::default()
        };
        let headers = checksum_header(object.checksum.as_ref())?;
        bucket.objects.insert(input.key, object);
        Ok(S3Response::with_headers(output, headers))
    }

    pub(crate) fn get(&self, input: GetObjectInput) -> S3Result<S3Response<GetObjectOutput>> {
        let mut storage = self.storage();
        let object = storage.bucket(&input.bucket)?.object(&input.key)?;
        if input.if_none_match.is_some() || input.part_number.is_some() {
            return Err(s3_error!(NotImplemented, "reads know Range and If-Match"));
        }
        input
            .if_match
            .map_or(Ok(()), |condition| object.check_if_match(&condition))?;
        let range = input
            .range
            .map(|range| range.check(object.size()))
            .transpose()?;
        let content_range = range
            .as_ref()
            .map(|r| format!("bytes {}-{}/{}", r.start, r.end - 1, object.size()));
        let headers = match (&range, shows_checksum(input.checksum_mode.as_ref())) {
            (None, true) => checksum_header(object.checksum.as_ref())?,
            _ => HeaderMap::new(),
        };
        let content = slice(&object.content, range.unwrap_or(0..object.size()));
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(size(&content)).ok(),
            content_range,
            content_type: object.attributes.content_type.clone(),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            metadata: Some(object.attributes.metadata.clone()),
            body: Some(StreamingBlob::wrap(
                stream::iter(content).map(Ok::<_, std::io::Error>),
            )),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::with_headers(output, headers))
    }

    pub(crate) fn head(&self, input: HeadObjectInput) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut storage = self.storage();
        let object = storage.bucket(&input.bucket)?.object(&input.key)?;
        if input.if_none_match.is_some() || input.part_number.is_some() || input.range.is_some() {
            return Err(s3_error!(NotImplemented, "heads know If-Match"));
        }
        input
            .if_match
            .map_or(Ok(()), |condition| object.check_if_match(&condition))?;
        let headers = if shows_checksum(input.checksum_mode.as_ref()) {
            checksum_header(object.checksum.as_ref())?
        } else {
            HeaderMap::new()
        };
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(object.size()).ok(),
            content_type: object.attributes.content_type.clone(),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            metadata: Some(object.attributes.metadata.clone()),
            storage_class: object.attributes.storage_class.clone(),
            server_side_encryption: object.attributes.encryption.algorithm.clone(),
            ssekms_key_id: object.attributes.encryption.kms_key_id.clone(),
            ..HeadObjectOutput::default()
        };
        Ok(S3Response::with_headers(output, headers))
    }

    pub(crate) fn delete(&self, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        self.storage()
            .bucket(&input.bucket)?
            .objects
            .remove(&input.key);
        Ok(DeleteObjectOutput::default())
    }
}

/// The whole body, once its payload hash and Content-MD5 have been checked.
pub(crate) async fn received(
    body: Option<StreamingBlob>,
    content_md5: Option<&str>,
) -> S3Result<Vec<Bytes>> {
    let content: Vec<Bytes> = match body {
        Some(body) => body.try_collect().await.map_err(|source| {
            // s3s checks x-amz-content-sha256 while the body streams, but keeps its error type
            // private.
            let code = if source.to_string().contains("Sha256Mismatch") {
                S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into())
            } else {
                S3ErrorCode::IncompleteBody
            };
            let mut error = S3Error::with_source(code, source);
            error.set_status_code(hyper::StatusCode::BAD_REQUEST);
            error
        })?,
        None => Vec::new(),
    };
    if let Some(claim) = content_md5 {
        let claim = BASE64_STANDARD.decode(claim);
        let claim: [u8; 16] = claim
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| s3_error!(InvalidDigest, "Content-MD5 is not a base64 MD5"))?;
        if claim != md5(&content) {
            return Err(s3_error!(
                BadDigest,
                "Content-MD5 did not match what we received"
            ));
        }
    }
    Ok(content)
}

/// The headers that report a checksum, if there is one: its value and its type.
pub(crate) fn checksum_header(checksum: Option<&Checksum>) -> S3Result<HeaderMap> {
    let Some(checksum) = checksum else {
        return Ok(HeaderMap::new());
    };
    let value = HeaderValue::try_from(&checksum.value).map_err(S3Error::internal_error)?;
    Ok(HeaderMap::from_iter([
        (
            checksum
                .algorithm
                .header()
                .parse()
                .map_err(S3Error::internal_error)?,
            value,
        ),
        (
            s3s::header::X_AMZ_CHECKSUM_TYPE,
            HeaderValue::from_static(checksum.kind.name()),
        ),
    ]))
}

fn shows_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

/// The bytes of `range`, which lies within `content`, without copying them.
fn slice(content: &[Bytes], range: Range<u64>) -> Vec<Bytes> {
    let mut start = 0;
    let mut found = Vec::new();
    for bytes in content {
        let end = start + bytes.len() as u64;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            found.push(bytes.slice((from - start) as usize..(to - start) as usize));
        }
        start = end;
    }
    found
}
