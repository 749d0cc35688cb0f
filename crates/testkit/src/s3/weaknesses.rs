//! What an endpoint that calls itself S3-compatible may lack.
//!
//! Each switch is what servers in the field really do, so that a tool's path for a weaker endpoint
//! is walked by a test. Without any the server is as strict as S3.

use hyper::HeaderMap;
use s3s::dto::{CompleteMultipartUploadInput, CreateMultipartUploadInput};
use s3s::{S3Result, TrailingHeaders, s3_error};
use uuid::Uuid;

use super::checksum::{Algorithm, Checksum, Kind, claimed};

/// What this server cannot do; the default can do everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weaknesses {
    /// Whether writes keep to `If-None-Match` and `If-Match`.
    pub conditions: Conditions,
    /// What becomes of checksums. Content-MD5 is checked in any case.
    pub checksums: Checksums,
    /// `ListParts` is answered with 501 `NotImplemented`.
    pub no_list_parts: bool,
    /// `ListMultipartUploads` is answered with 501 `NotImplemented`.
    pub no_list_uploads: bool,
    /// ETags of objects and parts are random hex digits instead of MD5s.
    pub random_etags: bool,
    /// ETags of parts are random hex digits, those of objects are not.
    pub random_part_etags: bool,
    /// `CreateMultipartUpload` without `Content-Length` is answered with 411, as Google does.
    pub length_required: bool,
}

/// How writes treat `If-None-Match` and `If-Match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// As S3.
    #[default]
    Kept,
    /// `PutObject` keeps to them, `CompleteMultipartUpload` overwrites.
    IgnoredOnComplete,
    /// Every write overwrites, as servers do that do not know conditions.
    Ignored,
    /// A write with a condition is answered with 501 `NotImplemented`.
    Refused,
}

/// What becomes of the checksums that requests carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// As S3.
    #[default]
    Kept,
    /// Their headers and fields are not looked at, `x-amz-mp-object-size`, which is of the same
    /// age, included. Nothing is kept or shown.
    Ignored,
    /// A request with an `x-amz-checksum-*` header is answered with 501 `NotImplemented`.
    /// Nothing is kept or shown.
    Refused,
    /// Objects and parts are checked and kept, but an upload cannot declare CRC64NVME or
    /// `FULL_OBJECT` (400 `InvalidRequest`), and an object that was sent in parts shows none.
    NoFullObject,
}

impl Weaknesses {
    pub(crate) fn ignores_conditions_on_put(self) -> bool {
        self.conditions == Conditions::Ignored
    }

    pub(crate) fn ignores_conditions_on_complete(self) -> bool {
        self.conditions != Conditions::Kept
    }

    /// The checksum that a request claims, as far as this server looks at it.
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

    /// What this server keeps of the checksum of an object or a part that was sent in one piece.
    pub(crate) fn kept(self, checksum: Checksum) -> Option<Checksum> {
        match self.checksums {
            Checksums::Kept | Checksums::NoFullObject => Some(checksum),
            Checksums::Ignored | Checksums::Refused => None,
        }
    }

    /// What this server keeps of the checksum of an object that was sent in parts.
    pub(crate) fn kept_of_parts(self, checksum: Checksum) -> Option<Checksum> {
        match (self.checksums, checksum.kind) {
            (Checksums::NoFullObject, Kind::FullObject) => None,
            _ => self.kept(checksum),
        }
    }

    /// What this server understands of a Create.
    pub(crate) fn understand_create(self, input: &mut CreateMultipartUploadInput) {
        if self.checksums == Checksums::Ignored {
            input.checksum_algorithm = None;
            input.checksum_type = None;
        }
    }

    /// Refuses what an upload declares where this server cannot keep it.
    pub(crate) fn check_declared(self, declared: Option<(Algorithm, Kind)>) -> S3Result<()> {
        match (self.checksums, declared) {
            (Checksums::NoFullObject, Some((_, Kind::FullObject))) => Err(s3_error!(
                InvalidRequest,
                "a checksum of the full object is not supported"
            )),
            _ => Ok(()),
        }
    }

    /// What this server understands of a Complete.
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

    /// The ETag that this server gives instead of `etag`, which AWS would give.
    pub(crate) fn etag(self, etag: String) -> String {
        if !self.random_etags {
            return etag;
        }
        Self::random(&etag)
    }

    /// The same for a part.
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
