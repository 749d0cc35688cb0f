//! Bytes on their way to S3: parts, hashed once and paid for, and the multipart upload of them.

mod multipart;
mod part;

pub use self::multipart::{FinishedParts, KeptParts, MultipartUpload};
pub use self::part::{
    Contents, FileHashes, HashedPart, Hashing, PartBudget, PartBuffer, PartHasher, Reserved,
};
