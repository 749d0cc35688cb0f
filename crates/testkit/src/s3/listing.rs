//! Pages of objects, open uploads and parts, in S3's order.

use std::ops::Bound;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, CommonPrefix, ETag, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, MultipartUpload, Object as ObjectEntry, Part as PartEntry,
};
use s3s::{S3Result, s3_error};

use super::backend::Backend;
use super::storage::{Object, Part, Upload, size};

/// Entries per page, unless fewer are requested.
const PAGE: i32 = 1000;

/// Characters that `encoding-type=url` leaves unescaped.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

impl Backend {
    pub(crate) fn objects_page(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let mut storage = self.storage();
        let bucket = storage.bucket(&input.bucket)?;
        let after = match &input.continuation_token {
            Some(token) => Some(token_key(token)?),
            None => input.start_after.clone(),
        };
        let after = after.unwrap_or_default();
        let prefix = input.prefix.clone().unwrap_or_default();
        let limit = page_size(input.max_keys);
        let encode = encoder(input.encoding_type.is_some());

        let mut contents = Vec::new();
        let mut common_prefixes: Vec<String> = Vec::new();
        let mut last = String::new();
        let mut is_truncated = false;
        let from = (Bound::Excluded(after.clone()), Bound::Unbounded);
        for (key, object) in bucket
            .objects
            .range(from)
            .filter(|(key, _)| key.starts_with(&prefix))
        {
            let group = input.delimiter.as_deref().and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)?;
                Some(&key[..prefix.len() + end + delimiter.len()])
            });
            if let Some(group) = group
                && (group == after || common_prefixes.last().is_some_and(|seen| seen == group))
            {
                continue;
            }
            if contents.len() + common_prefixes.len() == limit {
                is_truncated = true;
                break;
            }
            match group {
                Some(group) => {
                    common_prefixes.push(group.to_owned());
                    group.clone_into(&mut last);
                }
                None => {
                    contents.push(object_entry(encode(key), object));
                    last.clone_from(key);
                }
            }
        }
        let common_prefixes: Vec<_> = common_prefixes
            .iter()
            .map(|prefix| CommonPrefix {
                prefix: Some(encode(prefix)),
            })
            .collect();
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
            max_keys: Some(input.max_keys.unwrap_or(PAGE)),
            next_continuation_token: is_truncated.then(|| BASE64_URL_SAFE.encode(last)),
            is_truncated: Some(is_truncated),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            delimiter: input.delimiter,
            prefix: Some(encode(&prefix)),
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        })
    }

    pub(crate) fn uploads_page(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<ListMultipartUploadsOutput> {
        if input.delimiter.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "a delimiter for uploads is not implemented"
            ));
        }
        let mut storage = self.storage();
        let bucket = storage.bucket(&input.bucket)?;
        let key_marker = input.key_marker.clone().unwrap_or_default();
        let prefix = input.prefix.clone().unwrap_or_default();
        let encode = encoder(input.encoding_type.is_some());
        let limit = page_size(input.max_uploads);

        let after_marker = |key: &str, id: &str| match &input.upload_id_marker {
            Some(marker) if key == key_marker => id > marker.as_str(),
            _ => key > key_marker.as_str(),
        };
        let mut found = bucket
            .uploads
            .iter()
            .filter(|((key, id), _)| key.starts_with(&prefix) && after_marker(key, id));
        let page: Vec<_> = found.by_ref().take(limit).collect();
        let is_truncated = found.next().is_some();
        let last = page
            .last()
            .filter(|_| is_truncated)
            .map(|(name, _)| (*name).clone());
        let (next_key_marker, next_upload_id_marker) = last.unzip();
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            uploads: Some(
                page.into_iter()
                    .map(|(n, u)| upload_entry(encode(&n.0), &n.1, u))
                    .collect(),
            ),
            next_key_marker: next_key_marker.map(|key| encode(&key)),
            next_upload_id_marker,
            is_truncated: Some(is_truncated),
            max_uploads: Some(input.max_uploads.unwrap_or(PAGE)),
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            prefix: Some(encode(&prefix)),
            encoding_type: input.encoding_type,
            ..ListMultipartUploadsOutput::default()
        })
    }

    pub(crate) fn parts_page(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let mut storage = self.storage();
        let upload = storage
            .bucket(&input.bucket)?
            .upload(&input.key, &input.upload_id)?;
        let marker = input.part_number_marker.unwrap_or(0);
        let mut found = upload
            .parts
            .range((Bound::Excluded(marker), Bound::Unbounded));
        let page: Vec<_> = found.by_ref().take(page_size(input.max_parts)).collect();
        let is_truncated = found.next().is_some();
        Ok(ListPartsOutput {
            next_part_number_marker: page.last().map(|(number, _)| **number),
            parts: Some(
                page.into_iter()
                    .map(|(n, part)| part_entry(*n, part, upload))
                    .collect(),
            ),
            is_truncated: Some(is_truncated),
            max_parts: Some(input.max_parts.unwrap_or(PAGE)),
            part_number_marker: Some(marker),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: algorithm_name(upload),
            checksum_type: kind_name(upload),
            ..ListPartsOutput::default()
        })
    }
}

fn page_size(asked: Option<i32>) -> usize {
    usize::try_from(asked.unwrap_or(PAGE).clamp(0, PAGE)).unwrap_or_default()
}

/// Encodes keys if `encoding-type=url` was requested.
fn encoder(url: bool) -> impl Fn(&str) -> String {
    move |text| match url {
        true => utf8_percent_encode(text, KEPT).to_string(),
        false => text.to_owned(),
    }
}

/// The last entry of the previous page, taken from a continuation token.
fn token_key(token: &str) -> S3Result<String> {
    let bytes = BASE64_URL_SAFE.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not ours"))
}

fn object_entry(key: String, object: &Object) -> ObjectEntry {
    ObjectEntry {
        key: Some(key),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        size: i64::try_from(object.size()).ok(),
        last_modified: Some(object.modified.into()),
        ..ObjectEntry::default()
    }
}

fn upload_entry(key: String, id: &str, upload: &Upload) -> MultipartUpload {
    MultipartUpload {
        key: Some(key),
        upload_id: Some(id.to_owned()),
        initiated: Some(upload.initiated.into()),
        checksum_algorithm: algorithm_name(upload),
        checksum_type: kind_name(upload),
        ..MultipartUpload::default()
    }
}

fn part_entry(number: i32, part: &Part, upload: &Upload) -> PartEntry {
    let checksum = upload
        .declared
        .map(|_| part.checksum.fields())
        .unwrap_or_default();
    PartEntry {
        part_number: Some(number),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        size: i64::try_from(size(&part.content)).ok(),
        last_modified: Some(part.modified.into()),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
    }
}

fn algorithm_name(upload: &Upload) -> Option<ChecksumAlgorithm> {
    upload
        .declared
        .map(|(algorithm, _)| ChecksumAlgorithm::from_static(algorithm.name()))
}

fn kind_name(upload: &Upload) -> Option<ChecksumType> {
    upload
        .declared
        .map(|(_, kind)| ChecksumType::from_static(kind.name()))
}
