//! Features that an S3-compatible endpoint may lack.
//!
//! Each switch mimics servers in the field, so that a test exercises a tool's path for weaker
//! endpoints. With none set, the server is as strict as S3.

use hyper::HeaderMap;
use s3s::dto::{CompleteMultipartUploadInput, CreateMultipartUploadInput};
use s3s::{S3Result, TrailingHeaders, s3_error};
use uuid::Uuid;

use super::checksum::{Algorithm, Checksum, Kind, claimed};

/// What this server cannot do; by default, nothing is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weaknesses {
    /// Whether writes obey `If-None-Match` and `If-Match`.
    pub conditions: Conditions,
    /// What happens to checksums. Content-MD5 is always checked.
    pub checksums: Checksums,
    /// `ListParts` is answered with 501 `NotImplemented`.
    pub no_list_parts: bool,
    /// `ListMultipartUploads` is answered with 501 `NotImplemented`.
    pub no_list_uploads: bool,
    /// ETags of objects and parts are random hex digits instead of MD5s.
    pub random_etags: bool,
    /// ETags of parts, but not of objects, are random hex digits.
    pub random_part_etags: bool,
    /// `CreateMultipartUpload` without `Content-Length` is answered with 411, as Google does.
    pub length_required: bool,
}

/// How writes treat `If-None-Match` and `If-Match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// Like S3.
    #[default]
    Kept,
    /// `PutObject` obeys them, `CompleteMultipartUpload` overwrites.
    IgnoredOnComplete,
    /// Every write overwrites, as on servers that do not know conditions.
    Ignored,
    /// A conditional write is answered with 501 `NotImplemented`.
    Refused,
}

/// What happens to the checksums that requests carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Like S3.
    #[default]
    Kept,
    /// Their headers and fields are ignored, including `x-amz-mp-object-size`, which came with
    /// them. Nothing is kept or reported.
    Ignored,
    /// A request with an `x-amz-checksum-*` header is answered with 501 `NotImplemented`. Nothing
    /// is kept or reported.
    Refused,
    /// Objects and parts are checked and kept, but an upload cannot declare CRC64NVME or
    /// `FULL_OBJECT` (400 `InvalidRequest`), and an object uploaded in parts reports no checksum.
    NoFullObject,
}

impl Weaknesses {
    pub(crate) fn ignores_conditions_on_put(self) -> bool {
        self.conditions == Conditions::Ignored
    }

    pub(crate) fn ignores_conditions_on_complete(self) -> bool {
        self.conditions != Conditions::Kept
    }

    /// The checksum that a request claims, as far as this server cares.
    pub(crate) fn claimed(
        self,
        headers: &HeaderMap,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<Option<(Algorithm, String)>> {
        match self.checksums {
            Checksums::Ignored => Ok(None),
            _ => claimed(headers, trailers),
        }
    }

    /// What this server keeps of the checksum of an object or part sent in one piece.
    pub(crate) fn kept(self, checksum: Checksum) -> Option<Checksum> {
        match self.checksums {
            Checksums::Kept | Checksums::NoFullObject => Some(checksum),
            Checksums::Ignored | Checksums::Refused => None,
        }
    }

    /// What this server keeps of the checksum of an object uploaded in parts.
    pub(crate) fn kept_of_parts(self, checksum: Checksum) -> Option<Checksum> {
        match (self.checksums, checksum.kind) {
            (Checksums::NoFullObject, Kind::FullObject) => None,
            _ => self.kept(checksum),
        }
    }

    /// Drops what this server does not understand from a Create.
    pub(crate) fn understand_create(self, input: &mut CreateMultipartUploadInput) {
        if self.checksums == Checksums::Ignored {
            input.checksum_algorithm = None;
            input.checksum_type = None;
        }
    }

    /// Refuses an upload that declares a checksum this server cannot keep.
    pub(crate) fn check_declared(self, declared: Option<(Algorithm, Kind)>) -> S3Result<()> {
        match (self.checksums, declared) {
            (Checksums::NoFullObject, Some((_, Kind::FullObject))) => Err(s3_error!(
                InvalidRequest,
                "a checksum of the full object is not supported"
            )),
            _ => Ok(()),
        }
    }

    /// Drops what this server does not understand from a Complete.
    pub(crate) fn understand_complete(self, input: &mut CompleteMultipartUploadInput) {
        if self.checksums != Checksums::Ignored {
            return;
        }
        input.checksum_type = None;
        input.mpu_object_size = None;
        let list = input.multipart_upload.as_mut();
        for part in list
            .and_then(|list| list.parts.as_mut())
            .into_iter()
            .flatten()
        {
            part.checksum_crc32 = None;
            part.checksum_crc32c = None;
            part.checksum_crc64nvme = None;
            part.checksum_sha1 = None;
            part.checksum_sha256 = None;
        }
    }

    /// The ETag that this server reports where AWS would report `etag`.
    pub(crate) fn etag(self, etag: String) -> String {
        if !self.random_etags {
            return etag;
        }
        Self::random(&etag)
    }

    /// Like [`Self::etag`], for a part.
    pub(crate) fn part_etag(self, etag: String) -> String {
        match self.random_part_etags {
            true => Self::random(&etag),
            false => self.etag(etag),
        }
    }

    fn random(etag: &str) -> String {
        let random = Uuid::new_v4().simple().to_string();
        match etag.split_once('-') {
            Some((_, parts)) => format!("{random}-{parts}"),
            None => random,
        }
    }
}
