//! The hash path of every tool that writes files: the bytes of a part in, CRC64NVME and SHA-256
//! out, MD5 on demand. Beside it each hash alone, whose sum is what the path could cost at least.
//!
//! `cargo bench --workspace --bench hash`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints its result, and fails by panicking"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use lob_core::checksum::Crc;
use lob_core::checksum::{Md5, Sha256};
use lob_core::settings::{ByteSize, PART_SIZE, PartLimits, PartSettings};
use lob_core::transfer::{Hashing, PartBudget, PartBuffer, PartHasher};
use tokio::runtime::{Builder, Runtime};

/// The fastest of so many counts: nothing makes a hash faster than it is.
const ROUNDS: usize = 50;

fn main() {
    let limits = PartSettings::default().within(ByteSize::gib(1));
    let size = PART_SIZE.0;
    // What no hash is faster for: every byte value, no runs.
    let bytes: Vec<u8> = (0..size).map(|i| (i * 167 + (i >> 8)) as u8).collect();

    let crc = || black_box(Crc::of(black_box(&bytes)));
    let sha256 = || black_box(Sha256::of(black_box(&bytes)));
    let md5 = || black_box(Md5::of(black_box(&bytes)));
    measure("CRC64NVME alone", size, || timed(crc));
    measure("SHA-256 alone", size, || timed(sha256));
    measure("MD5 alone", size, || timed(md5));
    measure("the sum of CRC64NVME and SHA-256", size, || {
        timed(|| (crc(), sha256()))
    });
    measure("the sum with MD5", size, || {
        timed(|| (crc(), sha256(), md5()))
    });

    let source = PartSource::new(&limits);
    for (name, md5) in [("PartHasher", false), ("PartHasher with MD5", true)] {
        let hashing = Hashing {
            md5,
            ..Hashing::default()
        };
        measure(name, size, || {
            let (mut hasher, buffer) = (PartHasher::new(hashing), source.part());
            timed(|| black_box(hasher.read(buffer, &bytes[..]).unwrap()))
        });
    }
}

fn measure(name: &str, size: u64, round: impl FnMut() -> Duration) {
    let best = std::iter::repeat_with(round).take(ROUNDS).min().unwrap();
    let gigabytes = size as f64 / best.as_secs_f64() / 1e9;
    println!("{name:<34} {best:>9.2?} {gigabytes:>7.2} GB/s");
}

/// What `work` takes, without what it takes to throw its result away.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let done = work();
    let taken = start.elapsed();
    drop(done);
    taken
}

/// Makes buffers of one part.
struct PartSource {
    budget: PartBudget,
    size: u64,
    runtime: Runtime,
}

impl PartSource {
    fn new(limits: &PartLimits) -> Self {
        Self {
            budget: PartBudget::new(limits).unwrap(),
            size: PART_SIZE.0,
            runtime: Builder::new_current_thread().build().unwrap(),
        }
    }

    fn part(&self) -> PartBuffer {
        self.runtime.block_on(self.budget.buffer(self.size))
    }
}
