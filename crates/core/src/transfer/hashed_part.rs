//! Parts of a file on their way to S3, hashed once.
//!
//! The only way to get a [`HashedPart`] is to hash in order, so the SHA-256 and CRC of a file are
//! always those of the very buffers that were sent.

use std::io::{self, Read};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::part_budget::PartBuffer;
use crate::checksum::{Crc, CrcHasher};
use crate::checksum::{Md5, Md5Hasher, Sha256, Sha256Hasher};

/// The next bytes of a file, with their CRC. The memory is freed when the last request that sends
/// it is done.
#[derive(Debug)]
pub struct HashedPart {
    pub(crate) bytes: Bytes,
    pub(crate) crc: Crc,
    /// Set if the endpoint can prove nothing better.
    pub(crate) md5: Option<Md5>,
}

impl HashedPart {
    /// Its size, in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// The size and hashes of a file, known once its last byte is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHashes {
    /// Size, SHA-256 and CRC64NVME.
    pub contents: Contents,
    /// MD5 of all bytes, if requested.
    pub md5: Option<Md5>,
    /// MD5 of each part, if requested.
    part_md5s: Vec<Md5>,
}

/// What identifies the bytes of a file, named as in manifests and records. The server can be asked
/// about all but the SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of all bytes.
    pub sha256: Sha256,
    /// CRC64NVME of all bytes.
    pub crc64nvme: Crc,
}

impl FileHashes {
    /// The ETag of the file when put in one request, as S3 computes it; known if the MD5 of each
    /// part is.
    pub fn etag_of_put(&self) -> Option<String> {
        match self.part_md5s[..] {
            [md5] => Some(md5.to_string()),
            _ => None,
        }
    }

    /// The ETag of the file when uploaded in parts, as S3 computes it; known if the MD5 of each
    /// part is.
    pub fn etag_of_parts(&self) -> Option<String> {
        let count = self.part_md5s.len();
        (count > 0).then(|| format!("{}-{count}", Md5::of_parts(&self.part_md5s)))
    }
}

/// What to compute besides SHA-256 and CRC64NVME. MD5 costs more than everything else together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hashing {
    /// The MD5 of the whole file.
    pub md5: bool,
    /// The MD5 of each part.
    pub part_md5: bool,
}

/// Hashes a file part by part.
#[derive(Debug)]
pub struct PartHasher {
    sha256: Sha256Hasher,
    crc: Crc,
    size: u64,
    md5: Option<Md5Hasher>,
    part_md5s: Option<Vec<Md5>>,
}

impl PartHasher {
    /// A hasher that has seen no bytes yet.
    pub fn new(hashing: Hashing) -> Self {
        Self {
            sha256: Sha256Hasher::default(),
            crc: Crc::EMPTY,
            size: 0,
            md5: hashing.md5.then(Md5Hasher::default),
            part_md5s: hashing.part_md5.then(Vec::new),
        }
    }

    /// Reads the next bytes of the file into `buffer`, until it is full or `source` ends, and hashes
    /// them. This takes milliseconds: call it where blocking is acceptable.
    ///
    /// # Errors
    /// Those of `source`; then the hashes are those of no file.
    pub fn read(
        &mut self,
        mut buffer: PartBuffer,
        mut source: impl Read,
    ) -> io::Result<HashedPart> {
        let mut part = PieceHasher::of_part(self);
        loop {
            let piece = buffer.read_piece(&mut source, PIECE_BYTES)?;
            if piece.is_empty() {
                break;
            }
            part.add(piece);
        }
        let (crc, md5) = part.finish(buffer.as_ref().len() as u64);
        let bytes = Bytes::from_owner(buffer);
        Ok(HashedPart { bytes, crc, md5 })
    }

    /// Hashes bytes that are in memory anyway, for a part outside the budget.
    pub(crate) fn hash_bytes(&mut self, bytes: Bytes) -> HashedPart {
        let mut part = PieceHasher::of_part(self);
        bytes.chunks(PIECE_BYTES).for_each(|piece| part.add(piece));
        let (crc, md5) = part.finish(bytes.len() as u64);
        HashedPart { bytes, crc, md5 }
    }

    /// The hashes of all bytes so far.
    pub fn finish(self) -> FileHashes {
        FileHashes {
            contents: Contents {
                size_bytes: self.size,
                sha256: self.sha256.finish(),
                crc64nvme: self.crc,
            },
            md5: self.md5.map(Md5Hasher::finish),
            part_md5s: self.part_md5s.unwrap_or_default(),
        }
    }
}

/// Hashes one part of a file piece by piece: the next hash finds in the processor's cache what the
/// one before it has read.
struct PieceHasher<'a> {
    file: &'a mut PartHasher,
    crc: CrcHasher,
    md5: Option<Md5Hasher>,
}

/// Fits into the second level of the cache, with room for what else is there.
const PIECE_BYTES: usize = 128 << 10;

impl<'a> PieceHasher<'a> {
    fn of_part(file: &'a mut PartHasher) -> Self {
        let md5 = file.part_md5s.is_some().then(Md5Hasher::default);
        let crc = CrcHasher::default();
        Self { file, crc, md5 }
    }

    fn add(&mut self, piece: &[u8]) {
        self.crc.update(piece);
        self.file.sha256.update(piece);
        if let Some(md5) = &mut self.file.md5 {
            md5.update(piece);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(piece);
        }
    }

    /// The CRC and MD5 of the part, of `size` bytes.
    fn finish(self, size: u64) -> (Crc, Option<Md5>) {
        let crc = self.crc.finish();
        self.file.crc = self.file.crc.then(crc, size);
        self.file.size += size;
        let md5 = self.md5.map(Md5Hasher::finish);
        if let (Some(md5s), Some(md5)) = (&mut self.file.part_md5s, md5) {
            md5s.push(md5);
        }
        (crc, md5)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use futures::FutureExt as _;

    use super::*;
    use crate::settings::{ByteSize, PartLimits};
    use crate::transfer::PartBudget;

    /// Room for two parts of 8 MiB.
    fn budget() -> PartBudget {
        let limits = PartLimits {
            part_size: ByteSize::mib(8),
            buffer_size: ByteSize::mib(16),
            at_first: NonZeroUsize::MIN,
            in_flight: NonZeroUsize::MIN,
            max_bandwidth: None,
        };
        PartBudget::new(&limits).unwrap()
    }

    #[tokio::test]
    async fn a_part_takes_memory_until_its_last_request_is_done() {
        let budget = budget();
        let buffer = budget.buffer(8 << 20).await;
        let mut hasher = PartHasher::new(Hashing::default());
        let part = hasher.read(buffer, io::repeat(7)).unwrap();
        assert_eq!(part.size(), 8 << 20);
        let retry = part.bytes.clone();
        drop(part);
        assert!(budget.buffer(16 << 20).now_or_never().is_none());
        assert!(retry.iter().all(|&byte| byte == 7));
        drop(retry);
        assert!(budget.buffer(16 << 20).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_buffer_takes_no_more_bytes_than_are_paid_for() {
        let budget = budget();
        let buffer = budget.buffer(7).await;
        let mut hasher = PartHasher::new(Hashing::default());
        let part = hasher.read(buffer, &b"abcdefghi"[..]).unwrap();
        assert_eq!(&part.bytes[..], b"abcdefg");
    }

    #[tokio::test]
    async fn hashes_of_parts_and_file_are_those_of_their_bytes() {
        let budget = budget();
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 1000)
            .map(|n| ((n * 31) >> 7) as u8)
            .collect();
        let hashing = Hashing {
            md5: true,
            part_md5: true,
        };
        let mut hasher = PartHasher::new(hashing);
        let parts: Vec<_> = bytes.chunks(2 * PIECE_BYTES + 7).collect();
        for part in &parts {
            let buffer = budget.buffer(part.len() as u64).await;
            // As from a pipe, few bytes come at a time.
            let (first, rest) = part.split_at(77);
            let hashed = hasher.read(buffer, first.chain(rest)).unwrap();
            assert_eq!(&hashed.bytes[..], *part);
            assert_eq!(
                (hashed.crc, hashed.md5),
                (Crc::of(part), Some(Md5::of(part)))
            );
        }
        let hashes = hasher.finish();
        let contents = Contents {
            size_bytes: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
            crc64nvme: Crc::of(&bytes),
        };
        assert_eq!(hashes.contents, contents);
        assert_eq!(hashes.md5, Some(Md5::of(&bytes)));
        let md5s: Vec<_> = parts.iter().map(|part| Md5::of(part)).collect();
        assert_eq!(hashes.part_md5s, md5s);
    }
}
