//! What an upload cannot go below: reading the files and hashing them, each measured alone.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lob_core::crc::Crc;
use lob_core::hash::{Md5Hasher, Sha256Hasher};

/// As much as is read and hashed at once; a part of `lob-upload`.
const BUFFER: usize = 8 << 20;

/// Seconds of one thread for all files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Floor {
    pub(crate) read: Duration,
    pub(crate) crc: Duration,
    pub(crate) sha256: Duration,
    pub(crate) md5: Duration,
}

/// Reads all files twice, and measures the second time, when the system has them in memory.
pub(crate) fn measure(files: &[PathBuf]) -> std::io::Result<Floor> {
    pass(files)?;
    pass(files)
}

fn pass(files: &[PathBuf]) -> std::io::Result<Floor> {
    let mut floor = Floor::default();
    let mut buffer = vec![0; BUFFER];
    for path in files {
        let mut file = File::open(path)?;
        let (mut sha256, mut md5) = (Sha256Hasher::default(), Md5Hasher::default());
        loop {
            let read = timed(&mut floor.read, || file.read(&mut buffer))?;
            let bytes = &buffer[..read];
            if bytes.is_empty() {
                break;
            }
            timed(&mut floor.crc, || std::hint::black_box(Crc::of(bytes)));
            timed(&mut floor.sha256, || sha256.update(bytes));
            timed(&mut floor.md5, || md5.update(bytes));
        }
        std::hint::black_box((sha256.finish(), md5.finish()));
    }
    Ok(floor)
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    *total += start.elapsed();
    done
}
