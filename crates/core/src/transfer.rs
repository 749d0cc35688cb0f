//! Bytes on their way: to S3 in parts, each hashed once and charged to a memory budget, with their
//! multipart upload; and from S3 in ranges.

mod download;
mod multipart;
mod part;

pub use self::download::{Download, RANGE_BYTES};
pub use self::multipart::{FinishedParts, KeptParts, MultipartUpload};
pub use self::part::{
    Contents, FileHashes, HashedPart, Hashing, PartBudget, PartBuffer, PartHasher,
};
