//! What the server says about an object, and what an object must be.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;

use super::verified::Verified;
use super::write_token::WriteToken;
use crate::checksum::Crc;

/// The user metadata field that holds the write token.
pub(super) const TOKEN_FIELD: &str = "lob-token";

/// What the server says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Size in bytes.
    pub size: u64,
    /// The entity tag, without quotes.
    pub etag: String,
    /// The version, if the bucket keeps versions.
    pub version_id: Option<String>,
    /// The CRC64NVME of the whole object, if the server keeps one.
    pub crc: Option<Crc>,
    /// The token of the run that wrote it.
    pub token: Option<WriteToken>,
}

/// What an object must be once it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Size in bytes.
    pub size: u64,
    /// The CRC64NVME of all bytes.
    pub crc: Crc,
    /// The token of the run that writes it.
    pub token: &'a WriteToken,
    /// How much the endpoint can prove about it.
    pub proof: Verified,
    /// The ETag that it must have, if known.
    pub etag: Option<&'a str>,
}

impl Expected<'_> {
    /// Whether `info` describes exactly this object: same writer and size, and same CRC, or as much
    /// as the endpoint can prove.
    pub fn is(&self, info: &ObjectInfo) -> bool {
        let same_crc = match (info.crc, self.proof) {
            (Some(crc), _) => crc == self.crc,
            (None, proof) => proof != Verified::FullObjectCrc,
        };
        info.size == self.size
            && info.token.as_ref() == Some(self.token)
            && same_crc
            && self.etag.is_none_or(|etag| etag == info.etag)
    }
}

/// An object that was written and acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenObject {
    /// The entity tag, without quotes.
    pub etag: String,
    /// The version, if the bucket keeps versions.
    pub version_id: Option<String>,
    /// How it is proved.
    pub verified: Verified,
}

impl ObjectInfo {
    /// `None` if the answer lacks the size.
    pub(super) fn from_head(output: &HeadObjectOutput) -> Option<Self> {
        Some(Self {
            size: u64::try_from(output.content_length()?).ok()?,
            etag: unquoted(output.e_tag()),
            version_id: output.version_id().map(str::to_owned),
            crc: output
                .checksum_crc64_nvme()
                .and_then(|crc| crc.parse().ok()),
            token: output
                .metadata()
                .and_then(|fields| fields.get(TOKEN_FIELD))
                .and_then(|token| token.parse().ok()),
        })
    }
}

/// Strips the double quotes in which S3 sends an ETag.
pub(super) fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}
