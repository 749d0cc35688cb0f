//! S3's checksums: what a request claims, what the bytes give, and how parts combine into an
//! object.
//!
//! Rules and error codes are AWS's ("Checking object integrity in Amazon S3", API reference of
//! `CreateMultipartUpload`). A claim that is absent, duplicated, malformed or of another algorithm
//! than declared is refused, never ignored.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, TrailingHeaders, s3_error};

/// A checksum algorithm that S3 supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// Whether an object's checksum covers its bytes or its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    FullObject,
    Composite,
}

/// A checksum as S3 writes it: base64; composite ones are followed by `-` and the number of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: Kind,
    pub(crate) value: String,
}

impl Algorithm {
    const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => ChecksumAlgorithm::CRC32,
            Self::Crc32c => ChecksumAlgorithm::CRC32C,
            Self::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Self::Sha1 => ChecksumAlgorithm::SHA1,
            Self::Sha256 => ChecksumAlgorithm::SHA256,
        }
    }

    /// The header that carries the value.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// What `CreateMultipartUpload` declares: the algorithm, and the kind if it is given.
    pub(crate) fn declared(
        algorithm: Option<&ChecksumAlgorithm>,
        kind: Option<&ChecksumType>,
    ) -> S3Result<Option<(Self, Kind)>> {
        let Some(name) = algorithm else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(s3_error!(
                    InvalidRequest,
                    "a checksum type needs an algorithm"
                )),
            };
        };
        let algorithm = Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name.as_str())
            .ok_or_else(|| s3_error!(InvalidRequest, "checksum algorithm {name:?} is not known"))?;
        let kind = match (algorithm, kind.map(ChecksumType::as_str)) {
            (Self::Crc64Nvme, None | Some(ChecksumType::FULL_OBJECT))
            | (Self::Crc32 | Self::Crc32c, Some(ChecksumType::FULL_OBJECT)) => Kind::FullObject,
            (
                Self::Crc32 | Self::Crc32c | Self::Sha1 | Self::Sha256,
                None | Some(ChecksumType::COMPOSITE),
            ) => Kind::Composite,
            (_, kind) => {
                let name = algorithm.name();
                return Err(s3_error!(
                    InvalidRequest,
                    "checksum type {kind:?} does not go with {name}"
                ));
            }
        };
        Ok(Some((algorithm, kind)))
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FullObject => ChecksumType::FULL_OBJECT,
            Self::Composite => ChecksumType::COMPOSITE,
        }
    }
}

impl Checksum {
    /// The checksum of these bytes.
    pub(crate) fn of(algorithm: Algorithm, content: &[impl AsRef<[u8]>]) -> Self {
        let mut hasher = ChecksumHasher::default();
        match algorithm {
            Algorithm::Crc32 => hasher.crc32 = Some(Default::default()),
            Algorithm::Crc32c => hasher.crc32c = Some(Default::default()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Default::default()),
            Algorithm::Sha1 => hasher.sha1 = Some(Default::default()),
            Algorithm::Sha256 => hasher.sha256 = Some(Default::default()),
        }
        for bytes in content {
            hasher.update(bytes.as_ref());
        }
        let all = hasher.finalize();
        let value = all
            .checksum_crc32
            .or(all.checksum_crc32c)
            .or(all.checksum_crc64nvme);
        let value = value
            .or(all.checksum_sha1)
            .or(all.checksum_sha256)
            .unwrap_or_default();
        Self {
            algorithm,
            kind: Kind::FullObject,
            value,
        }
    }

    /// The composite checksum of an object whose parts have these checksums.
    pub(crate) fn composite<'a>(
        algorithm: Algorithm,
        parts: impl Iterator<Item = &'a Self>,
    ) -> Self {
        let raw: Vec<Bytes> = parts
            .map(|part| {
                BASE64_STANDARD
                    .decode(&part.value)
                    .unwrap_or_default()
                    .into()
            })
            .collect();
        let whole = Self::of(algorithm, &raw);
        Self {
            kind: Kind::Composite,
            value: format!("{}-{}", whole.value, raw.len()),
            ..whole
        }
    }

    /// The checksum as S3's XML bodies show it.
    pub(crate) fn fields(&self) -> s3s::dto::Checksum {
        let mut fields = s3s::dto::Checksum {
            checksum_type: Some(ChecksumType::from_static(self.kind.name())),
            ..Default::default()
        };
        let field = match self.algorithm {
            Algorithm::Crc32 => &mut fields.checksum_crc32,
            Algorithm::Crc32c => &mut fields.checksum_crc32c,
            Algorithm::Crc64Nvme => &mut fields.checksum_crc64nvme,
            Algorithm::Sha1 => &mut fields.checksum_sha1,
            Algorithm::Sha256 => &mut fields.checksum_sha256,
        };
        *field = Some(self.value.clone());
        fields
    }
}

/// The only checksum that a request's headers or trailers claim for its object or part.
///
/// Fails with `InvalidRequest` if there is more than one, if one is malformed, or if an announced
/// algorithm has no value, and with `NotImplemented` for an algorithm that this server cannot
/// compute.
pub(crate) fn claimed(
    headers: &HeaderMap,
    trailers: Option<&TrailingHeaders>,
) -> S3Result<Option<(Algorithm, String)>> {
    let mut found = claims_in(headers)?;
    if let Some(trailers) = trailers {
        found.extend(trailers.read(claims_in).transpose()?.unwrap_or_default());
    }
    if found.len() > 1 {
        let message =
            "expecting a single x-amz-checksum- header, multiple checksum types are not allowed";
        return Err(s3_error!(InvalidRequest, "{message}"));
    }
    if found.is_empty() && headers.contains_key("x-amz-sdk-checksum-algorithm") {
        let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding \
                       x-amz-checksum-* or x-amz-trailer headers were found";
        return Err(s3_error!(InvalidRequest, "{message}"));
    }
    Ok(found.pop())
}

fn claims_in(headers: &HeaderMap) -> S3Result<Vec<(Algorithm, String)>> {
    const NOT_VALUES: [&str; 3] = [
        "x-amz-checksum-algorithm",
        "x-amz-checksum-type",
        "x-amz-checksum-mode",
    ];
    let mut found = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        if !name.starts_with("x-amz-checksum-") || NOT_VALUES.contains(&name) {
            continue;
        }
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.header() == name)
            .ok_or_else(|| s3_error!(NotImplemented, "{name} is not implemented"))?;
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let digits = value
            .split_once('-')
            .map_or(value.as_str(), |(digits, _)| digits);
        match BASE64_STANDARD.decode(digits) {
            Ok(bytes) if bytes.len() == algorithm.bytes() => found.push((algorithm, value)),
            _ => {
                return Err(s3_error!(
                    InvalidRequest,
                    "value for {name} header is invalid"
                ));
            }
        }
    }
    Ok(found)
}

/// Checks a claim against the bytes; `BadDigest` if they differ. Without a claim the checksum is
/// CRC64NVME, as on AWS since December 2024.
pub(crate) fn verify(claim: Option<(Algorithm, String)>, content: &[Bytes]) -> S3Result<Checksum> {
    let Some((algorithm, value)) = claim else {
        return Ok(Checksum::of(Algorithm::Crc64Nvme, content));
    };
    let checksum = Checksum::of(algorithm, content);
    if checksum.value != value {
        let name = algorithm.name();
        return Err(s3_error!(
            BadDigest,
            "the {name} you specified did not match what we received"
        ));
    }
    Ok(checksum)
}
