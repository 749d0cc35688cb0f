//! Multipart uploads: create, upload parts, complete, abort.
//!
//! Complete checks everything claimed about the object (parts, order, sizes, checksums, conditions)
//! before it changes anything, so a refused Complete leaves the upload as it was.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::attributes::{Attributes, Encryption};
use super::backend::Backend;
use super::checksum::{Algorithm, Checksum, Kind, verify};
use super::objects::{checksum_header, received};
use super::storage::{Object, Part, Upload, md5, size};
use super::weaknesses::Weaknesses;

/// The smallest size of any part except the last.
const MIN_PART_BYTES: u64 = 5 << 20;
/// The largest part number.
const MAX_PARTS: i32 = 10_000;

impl Backend {
    pub(crate) fn create_upload(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        self.weaknesses.understand_create(&mut input);
        let algorithm = input.checksum_algorithm.as_ref();
        let declared = Algorithm::declared(algorithm, input.checksum_type.as_ref())?;
        self.weaknesses.check_declared(declared)?;
        let encryption = Encryption {
            algorithm: input.server_side_encryption,
            kms_key_id: input.ssekms_key_id,
        };
        let (metadata, content_type) = (input.metadata, input.content_type);
        let attributes = Attributes::new(metadata, content_type, input.storage_class, encryption)?;
        let encryption = attributes.encryption.clone();
        let mut storage = self.storage();
        let id = storage.new_upload_id();
        let upload = Upload {
            declared,
            attributes,
            initiated: SystemTime::now(),
            parts: BTreeMap::new(),
        };
        let bucket = storage.bucket(&input.bucket)?;
        bucket
            .uploads
            .insert((input.key.clone(), id.clone()), upload);
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: declared.map(|(a, _)| ChecksumAlgorithm::from_static(a.name())),
            checksum_type: declared.map(|(_, kind)| ChecksumType::from_static(kind.name())),
            server_side_encryption: encryption.algorithm,
            ssekms_key_id: encryption.kms_key_id,
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(crate) async fn put_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        if !(1..=MAX_PARTS).contains(&input.part_number) {
            return Err(s3_error!(
                InvalidArgument,
                "part numbers go from 1 to {MAX_PARTS}"
            ));
        }
        let content = received(input.body, input.content_md5.as_deref()).await?;
        let trailers = request.trailing_headers.as_ref();
        let claim = self.weaknesses.claimed(&request.headers, trailers)?;
        let claimed_algorithm = claim.as_ref().map(|(algorithm, _)| *algorithm);
        let checksum = verify(claim, &content)?;
        let md5 = md5(&content);
        let part = Part {
            md5,
            etag: self.weaknesses.part_etag(hex::encode(md5)),
            content,
            checksum,
            modified: SystemTime::now(),
        };

        let mut storage = self.storage();
        let upload = storage
            .bucket(&input.bucket)?
            .upload(&input.key, &input.upload_id)?;
        if let Some((declared, _)) = upload.declared {
            check_algorithm(Some(declared), claimed_algorithm)?;
        }
        let output = UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            ..UploadPartOutput::default()
        };
        let shown = self.weaknesses.kept(part.checksum.clone());
        let headers = checksum_header(shown.as_ref())?;
        upload.parts.insert(input.part_number, part);
        Ok(S3Response::with_headers(output, headers))
    }

    pub(crate) fn complete_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let mut input = request.input;
        self.weaknesses.understand_complete(&mut input);
        let claim = self.weaknesses.claimed(&request.headers, None)?;
        let mut storage = self.storage();
        let bucket = storage.bucket(&input.bucket)?;
        if !self.weaknesses.ignores_conditions_on_complete() {
            let (if_none_match, if_match) = (&input.if_none_match, &input.if_match);
            bucket.check_conditions(&input.key, if_none_match.as_ref(), if_match.as_ref())?;
        }
        let upload = bucket.upload(&input.key, &input.upload_id)?;
        let object = assemble(upload, &input, claim, self.weaknesses)?;

        let checksum = object.checksum.as_ref();
        let checksums = checksum.map(Checksum::fields).unwrap_or_default();
        let output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key.clone()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            checksum_type: checksums.checksum_type,
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            ..CompleteMultipartUploadOutput::default()
        };
        bucket.uploads.remove(&(input.key.clone(), input.upload_id));
        bucket.objects.insert(input.key, object);
        Ok(output)
    }

    pub(crate) fn abort_upload(
        &self,
        input: AbortMultipartUploadInput,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let mut storage = self.storage();
        let bucket = storage.bucket(&input.bucket)?;
        bucket.upload(&input.key, &input.upload_id)?;
        bucket.uploads.remove(&(input.key, input.upload_id));
        Ok(AbortMultipartUploadOutput::default())
    }
}

/// The object that an upload becomes, if everything that Complete claims is true.
fn assemble(
    upload: &Upload,
    input: &CompleteMultipartUploadInput,
    claim: Option<(Algorithm, String)>,
    weaknesses: Weaknesses,
) -> S3Result<Object> {
    let listed = input.multipart_upload.as_ref();
    let listed = listed.and_then(|list| list.parts.as_deref());
    let parts = chosen_parts(upload, listed.unwrap_or_default())?;
    let content: Vec<Bytes> = parts.iter().flat_map(|part| part.content.clone()).collect();
    if let Some(expected) = input.mpu_object_size
        && u64::try_from(expected) != Ok(size(&content))
    {
        let actual = size(&content);
        let message = "the provided 'x-amz-mp-object-size' header does not match";
        return Err(s3_error!(
            InvalidRequest,
            "{message}: {expected}, not {actual}"
        ));
    }
    let checksum = whole_checksum(
        upload,
        &parts,
        &content,
        claim,
        input.checksum_type.as_ref(),
    )?;
    let hashes: Vec<Bytes> = parts
        .iter()
        .map(|part| Bytes::copy_from_slice(&part.md5))
        .collect();
    Ok(Object {
        content,
        etag: weaknesses.etag(format!("{}-{}", hex::encode(md5(&hashes)), parts.len())),
        checksum: weaknesses.kept_of_parts(checksum),
        attributes: upload.attributes.clone(),
        modified: SystemTime::now(),
    })
}

/// The parts listed in Complete, each exactly as it was uploaded.
fn chosen_parts<'a>(upload: &'a Upload, listed: &[CompletedPart]) -> S3Result<Vec<&'a Part>> {
    if listed.is_empty() {
        return Err(s3_error!(
            InvalidRequest,
            "you must specify at least one part"
        ));
    }
    if !listed.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(
            InvalidPartOrder,
            "the list of parts was not in ascending order"
        ));
    }
    let mut parts = Vec::with_capacity(listed.len());
    for wanted in listed {
        let number = wanted.part_number.unwrap_or_default();
        let part = upload.parts.get(&number);
        let part = part.ok_or_else(|| s3_error!(InvalidPart, "part {number} was not uploaded"))?;
        if wanted.e_tag.as_ref().map(ETag::value) != Some(&part.etag) {
            return Err(s3_error!(InvalidPart, "part {number} has another ETag"));
        }
        check_part_checksum(upload, number, part, wanted)?;
        parts.push(part);
    }
    let too_small = |part: &&Part| size(&part.content) < MIN_PART_BYTES;
    if parts.iter().rev().skip(1).any(too_small) {
        return Err(s3_error!(
            EntityTooSmall,
            "a part other than the last is below 5 MiB"
        ));
    }
    Ok(parts)
}

fn check_part_checksum(
    upload: &Upload,
    number: i32,
    part: &Part,
    wanted: &CompletedPart,
) -> S3Result<()> {
    let claims = [
        (Algorithm::Crc32, &wanted.checksum_crc32),
        (Algorithm::Crc32c, &wanted.checksum_crc32c),
        (Algorithm::Crc64Nvme, &wanted.checksum_crc64nvme),
        (Algorithm::Sha1, &wanted.checksum_sha1),
        (Algorithm::Sha256, &wanted.checksum_sha256),
    ];
    let mut told = claims
        .into_iter()
        .filter_map(|(a, value)| Some((a, value.as_ref()?)));
    let (claim, second) = (told.next(), told.next());
    if second.is_some() {
        return Err(s3_error!(
            InvalidRequest,
            "part {number} has more than one checksum"
        ));
    }
    let declared = upload.declared.map(|(algorithm, _)| algorithm);
    check_algorithm(declared, claim.map(|(algorithm, _)| algorithm))?;
    match claim {
        Some((_, value)) if *value != part.checksum.value => {
            Err(s3_error!(InvalidPart, "part {number} has another checksum"))
        }
        _ => Ok(()),
    }
}

/// The checksum of the whole object, verified against what Complete claims.
fn whole_checksum(
    upload: &Upload,
    parts: &[&Part],
    content: &[Bytes],
    claim: Option<(Algorithm, String)>,
    claimed_kind: Option<&ChecksumType>,
) -> S3Result<Checksum> {
    let (algorithm, kind) = upload
        .declared
        .unwrap_or((Algorithm::Crc64Nvme, Kind::FullObject));
    if let Some(claimed) = claimed_kind
        && (upload.declared.is_none() || claimed.as_str() != kind.name())
    {
        return Err(s3_error!(
            InvalidRequest,
            "checksum type {claimed:?} was not declared"
        ));
    }
    let checksum = match kind {
        Kind::Composite => Checksum::composite(algorithm, parts.iter().map(|part| &part.checksum)),
        Kind::FullObject => Checksum::of(algorithm, content),
    };
    if let Some((claimed, value)) = claim {
        check_algorithm(
            upload.declared.map(|(algorithm, _)| algorithm),
            Some(claimed),
        )?;
        if value != checksum.value {
            let name = algorithm.name();
            return Err(s3_error!(
                BadDigest,
                "the {name} you specified is not the object's"
            ));
        }
    }
    Ok(checksum)
}

/// Refuses a claim whose algorithm is not the one declared, and a missing claim.
fn check_algorithm(declared: Option<Algorithm>, claimed: Option<Algorithm>) -> S3Result<()> {
    if declared == claimed {
        return Ok(());
    }
    let name = |algorithm: Option<Algorithm>| algorithm.map_or("null", Algorithm::name);
    let (expected, actual) = (name(declared), name(claimed));
    let message = "checksum type mismatch occurred";
    Err(s3_error!(
        InvalidRequest,
        "{message}, expected: {expected}, actual: {actual}"
    ))
}
