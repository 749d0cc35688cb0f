//! The hash path of every tool that writes files: the bytes of a part in, CRC64NVME and SHA-256
//! out, MD5 on demand. Beside it each hash alone, whose sum is what the path could cost at least.
//!
//! `cargo bench -p lob-core --bench hash`

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench fails by panicking, and its entry points are made by macros"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lob_core::crc::Crc;
use lob_core::hash::{Md5, Sha256};
use lob_core::part::{Hashing, PartBudget, PartBuffer, PartHasher, Reserved};
use lob_core::part_settings::PartSettings;
use tokio::runtime::{Builder, Runtime};

fn hash(criterion: &mut Criterion) {
    let settings = PartSettings::defaults();
    let size = settings.part_size.0;
    // What no hash is faster for: every byte value, no runs.
    let bytes: Vec<u8> = (0..size).map(|i| (i * 167 + (i >> 8)) as u8).collect();

    let mut group = criterion.benchmark_group("part");
    group
        .throughput(Throughput::Bytes(size))
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));

    let crc = || Crc::of(black_box(&bytes));
    let sha256 = || Sha256::of(black_box(&bytes));
    let md5 = || Md5::of(black_box(&bytes));
    group.bench_function("CRC64NVME alone", |bencher| bencher.iter(crc));
    group.bench_function("SHA-256 alone", |bencher| bencher.iter(sha256));
    group.bench_function("MD5 alone", |bencher| bencher.iter(md5));
    group.bench_function("the sum of CRC64NVME and SHA-256", |bencher| {
        bencher.iter(|| (crc(), sha256()));
    });
    group.bench_function("the sum with MD5", |bencher| {
        bencher.iter(|| (crc(), sha256(), md5()));
    });

    let source = PartSource::new(&settings, &bytes);
    for (name, md5) in [("PartHasher", false), ("PartHasher with MD5", true)] {
        let hashing = Hashing {
            md5,
            ..Hashing::default()
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (PartHasher::new(hashing), source.part()),
                |(mut hasher, (buffer, reserved))| (hasher.hash(buffer, reserved), hasher),
                // One part in memory at a time: the budget holds few.
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Makes parts to be hashed.
struct PartSource<'a> {
    budget: PartBudget,
    bytes: &'a [u8],
    runtime: Runtime,
}

impl<'a> PartSource<'a> {
    fn new(settings: &PartSettings, bytes: &'a [u8]) -> Self {
        Self {
            budget: PartBudget::new(settings).unwrap(),
            bytes,
            runtime: Builder::new_current_thread().build().unwrap(),
        }
    }

    fn part(&self) -> (PartBuffer, Reserved) {
        let size = self.bytes.len() as u64;
        let reserved = self.runtime.block_on(self.budget.reserve(size));
        let mut buffer = self.budget.buffer(size);
        buffer.bytes_mut().extend_from_slice(self.bytes);
        (buffer, reserved)
    }
}

criterion_group!(benches, hash);
criterion_main!(benches);
