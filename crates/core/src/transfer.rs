//! Bytes on their way to S3: parts, each hashed once and charged to a memory budget, and their
//! multipart upload.

mod multipart;
mod part;

pub use self::multipart::{FinishedParts, KeptParts, MultipartUpload};
pub use self::part::{
    Contents, FileHashes, HashedPart, Hashing, PartBudget, PartBuffer, PartHasher,
};
