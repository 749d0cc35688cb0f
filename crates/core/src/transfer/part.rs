//! Parts of a file on their way to S3: cut, hashed once, and charged to a single byte budget.
//!
//! The only way to get a [`HashedPart`] is to hash in order, so the SHA-256 and CRC of a file are
//! always those of the very buffers that were sent. Buffers are reused: allocating and freeing
//! memory part after part would fragment it, and resident memory would creep up.
//!
//! A [`PartBuffer`] is paid for from the moment it exists. Whoever takes one already has the bytes
//! to fill it with, in a file or in memory, and sends it once it is filled. So whoever holds a
//! buffer waits for the disk, for a slot or for the server, but never for another buffer: memory
//! always comes back, however many files share it and however little there is.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::settings::ByteSize;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::checksum::{Crc, CrcHasher};
use crate::checksum::{Md5, Md5Hasher, Sha256, Sha256Hasher};
use crate::failure::Failure;
use crate::settings::{MAX_PARTS, PART_SIZE_RANGE, PartLimits};
use crate::store::Bandwidth;

/// Granularity of the budget: a semaphore counts at most 2^29 permits on 32-bit machines.
const PERMIT_BYTES: u64 = 4096;

/// How large parts are, and how many bytes of them may be in memory at once.
#[derive(Debug, Clone)]
pub struct PartBudget {
    part_size: u64,
    permits: Arc<Semaphore>,
    capacity: u32,
    pool: Arc<Pool>,
}

/// Buffers of one part each, waiting to be reused; as many as fit into the budget.
#[derive(Debug)]
struct Pool {
    buffers: Mutex<Vec<Vec<u8>>>,
    buffer_size: usize,
    capacity: usize,
}

impl PartBudget {
    /// The budget that `limits` define.
    ///
    /// # Errors
    /// A part size outside S3's limits, or a budget that cannot hold two parts: one to fill while
    /// the other is sent.
    pub fn new(limits: &PartLimits) -> Result<Self, Failure> {
        let (smallest, largest) = PART_SIZE_RANGE;
        let (part_size, buffer_size) = (limits.part_size, limits.buffer_size);
        if part_size < smallest || part_size > largest {
            return Err(Failure::usage(format!(
                "`part_size` {part_size} is outside S3's limits, {smallest} to {largest}"
            ))
            .about(&["part_size"]));
        }
        if buffer_size.0 < 2 * part_size.0 {
            return Err(Failure::usage(format!(
                "`buffer_size` {buffer_size} cannot hold two parts of `part_size` {part_size}"
            ))
            .about(&["buffer_size", "part_size"]));
        }
        Bandwidth::of(limits.max_bandwidth)?;
        let capacity = u32::try_from(buffer_size.0 / PERMIT_BYTES).unwrap_or(u32::MAX);
        let pool = Pool {
            buffers: Mutex::default(),
            buffer_size: usize::try_from(part_size.0).unwrap_or(usize::MAX),
            capacity: usize::try_from(buffer_size.0 / part_size.0).unwrap_or(usize::MAX),
        };
        let permits = Arc::new(Semaphore::new(capacity as usize));
        Ok(Self {
            part_size: part_size.0,
            permits,
            capacity,
            pool: Arc::new(pool),
        })
    }

    /// The part size, in bytes, if the size of the file is not known in advance.
    pub fn part_size(&self) -> u64 {
        self.part_size
    }

    /// The part size for a file of `file_size` bytes: as configured, or larger if 10,000 parts
    /// would not be enough.
    pub fn part_size_for(&self, file_size: u64) -> u64 {
        let needed = file_size
            .div_ceil(MAX_PARTS)
            .next_multiple_of(ByteSize::mib(1).0);
        self.part_size.max(needed)
    }

    /// An empty buffer for a part of `size` bytes, once the budget has room for them. A part larger
    /// than the whole budget takes all of it. Wait only with all the bytes at hand, and without
    /// another buffer that is yet to be sent.
    pub async fn buffer(&self, size: u64) -> PartBuffer {
        let permits = u32::try_from(size.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let permits = permits.min(self.capacity);
        // The semaphore is never closed; if it were, memory would be the lesser problem.
        let paid = match Arc::clone(&self.permits).acquire_many_owned(permits).await {
            Ok(paid) => paid,
            Err(closed) => unreachable!("{closed}"),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        PartBuffer {
            bytes: self.pool.take(size),
            filled: 0,
            size,
            pool: Arc::clone(&self.pool),
            _paid: paid,
        }
    }
}

/// Room for the bytes of one part, paid for until it is dropped; then the buffer returns to the
/// pool and its bytes to the budget.
#[derive(Debug)]
pub struct PartBuffer {
    /// At least `size` bytes, of which the first `filled` are those of the part.
    bytes: Vec<u8>,
    filled: usize,
    /// As many bytes as are paid for.
    size: usize,
    pool: Arc<Pool>,
    _paid: OwnedSemaphorePermit,
}

impl PartBuffer {
    /// Reads the next piece from `source`; it is empty if the buffer is full or `source` has ended.
    fn read_piece(&mut self, source: &mut impl Read) -> io::Result<&[u8]> {
        let start = self.filled;
        let end = self.size.min(start + PIECE_BYTES);
        while self.filled < end {
            match source.read(&mut self.bytes[self.filled..end]) {
                Ok(0) => break,
                Ok(taken) => self.filled += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.bytes[start..self.filled])
    }
}

impl AsRef<[u8]> for PartBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Pool {
    /// A vector of at least `size` bytes, whatever they are: one that is reused, or else of no more
    /// bytes than are paid for.
    fn take(&self, size: usize) -> Vec<u8> {
        let pooled = if size <= self.buffer_size {
            self.lock().pop()
        } else {
            None
        };
        pooled.unwrap_or_else(|| vec![0; size])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PartBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut buffers = self.pool.lock();
        if bytes.len() == self.pool.buffer_size && buffers.len() < self.pool.capacity {
            buffers.push(bytes);
        }
    }
}

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
            let piece = buffer.read_piece(&mut source)?;
            if piece.is_empty() {
                break;
            }
            part.add(piece);
        }
        let (crc, md5) = part.finish(buffer.filled as u64);
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
    use proptest::prelude::*;

    use super::*;

    fn budget(part_size: ByteSize, buffer_size: ByteSize) -> Result<PartBudget, Failure> {
        PartBudget::new(&PartLimits {
            part_size,
            buffer_size,
            at_first: NonZeroUsize::MIN,
            in_flight: NonZeroUsize::MIN,
            max_bandwidth: None,
        })
    }

    #[test]
    fn part_sizes_outside_the_limits_of_s3_or_the_budget_are_refused() {
        assert!(budget(ByteSize::mib(4), ByteSize::mib(64)).is_err());
        assert!(budget(ByteSize::gib(6), ByteSize::gib(64)).is_err());
        assert!(budget(ByteSize::mib(8), ByteSize::mib(15)).is_err());
        assert!(budget(ByteSize::mib(8), ByteSize::mib(16)).is_ok());
    }

    proptest! {
        #[test]
        fn any_file_within_the_limit_of_s3_fits_into_its_parts(file_size in 0..5_u64 << 40) {
            let part_size =
                budget(ByteSize::mib(8), ByteSize::mib(64)).unwrap().part_size_for(file_size);
            prop_assert!(file_size.div_ceil(part_size) <= MAX_PARTS);
            prop_assert!(part_size >= PART_SIZE_RANGE.0.0 && part_size <= PART_SIZE_RANGE.1.0);
        }
    }

    #[tokio::test]
    async fn a_buffer_is_reused_once_its_last_request_is_done() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let buffer = budget.buffer(8 << 20).await;
        let address = buffer.bytes.as_ptr();
        let mut hasher = PartHasher::new(Hashing::default());
        let part = hasher.read(buffer, io::repeat(7)).unwrap();
        assert_eq!(part.size(), 8 << 20);
        let retry = part.bytes.clone();
        drop(part);
        assert!(budget.buffer(16 << 20).now_or_never().is_none());
        assert!(retry.iter().all(|&byte| byte == 7));
        drop(retry);
        let again = budget.buffer(8 << 20).await;
        assert_eq!((again.bytes.as_ptr(), again.filled), (address, 0));
    }

    #[tokio::test]
    async fn a_small_part_takes_no_more_memory_than_it_pays_for() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        assert_eq!(budget.buffer(1000).await.bytes.capacity(), 1000);
    }

    #[tokio::test]
    async fn buffers_never_exceed_the_budget() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let first = budget.buffer(8 << 20).await;
        let second = budget.buffer(8 << 20).await;
        assert!(budget.buffer(1).now_or_never().is_none());
        drop((first, second));
        let _all = budget.buffer(1 << 40).await;
        assert!(budget.buffer(1).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_buffer_takes_no_more_bytes_than_are_paid_for() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let buffer = budget.buffer(7).await;
        let mut hasher = PartHasher::new(Hashing::default());
        let part = hasher.read(buffer, &b"abcdefghi"[..]).unwrap();
        assert_eq!(&part.bytes[..], b"abcdefg");
    }

    #[tokio::test]
    async fn hashes_of_parts_and_file_are_those_of_their_bytes() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
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
