//! What an upload cannot go below: reading files and hashing them, each measured alone, on one
//! thread, by the code that the tools use.
//!
//! `cargo bench --workspace --bench floor -- FILE…` prints one line each: a name, a tab, and
//! nanoseconds for all files. `cargo xtask bench upload` puts them beside what uploads cost.

#![allow(clippy::print_stdout, reason = "it prints its result")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use lob_core::checksum::Crc;
use lob_core::checksum::{Md5Hasher, Sha256Hasher};
use lob_core::settings::PART_SIZE;

/// The fastest of so many passes counts: nothing makes a pass faster than it is.
const PASSES: usize = 3;

#[derive(Clone, Copy, Default)]
struct Floor {
    read: Duration,
    crc: Duration,
    sha256: Duration,
    md5: Duration,
}

fn main() -> io::Result<()> {
    // cargo adds `--bench`.
    let files = std::env::args().skip(1).filter(|name| name != "--bench");
    let files: Vec<_> = files.collect();
    // The first pass brings the files into memory.
    let mut floor = pass(&files)?;
    for _ in 0..PASSES {
        let next = pass(&files)?;
        floor = Floor {
            read: floor.read.min(next.read),
            crc: floor.crc.min(next.crc),
            sha256: floor.sha256.min(next.sha256),
            md5: floor.md5.min(next.md5),
        };
    }
    println!("reading a warm file\t{}", floor.read.as_nanos());
    println!("CRC64NVME\t{}", floor.crc.as_nanos());
    println!("SHA-256\t{}", floor.sha256.as_nanos());
    println!("MD5\t{}", floor.md5.as_nanos());
    Ok(())
}

fn pass(files: &[String]) -> io::Result<Floor> {
    let mut floor = Floor::default();
    let mut buffer = Vec::new();
    for path in files {
        let mut file = File::open(path)?;
        let (mut sha256, mut md5) = (Sha256Hasher::default(), Md5Hasher::default());
        loop {
            buffer.clear();
            let mut part = file.by_ref().take(PART_SIZE.0);
            if timed(&mut floor.read, || part.read_to_end(&mut buffer))? == 0 {
                break;
            }
            timed(&mut floor.crc, || black_box(Crc::of(&buffer)));
            timed(&mut floor.sha256, || sha256.update(&buffer));
            timed(&mut floor.md5, || md5.update(&buffer));
        }
        black_box((sha256.finish(), md5.finish()));
    }
    Ok(floor)
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    *total += start.elapsed();
    done
}
