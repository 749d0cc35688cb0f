//! Bytes on their way: to S3 in parts, each hashed once and charged to a memory budget, with their
//! multipart upload; and from S3 in ranges.

mod download;
mod hashed_part;
mod multipart;
mod part_budget;
mod part_size;

pub use self::download::{Download, RANGE_BYTES};
pub use self::hashed_part::{Contents, FileHashes, HashedPart, Hashing, PartHasher};
pub use self::multipart::{FinishedParts, KeptParts, MultipartUpload};
pub use self::part_budget::{PartBudget, PartBuffer};
