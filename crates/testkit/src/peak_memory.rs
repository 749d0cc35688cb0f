//! The most memory that a tool takes, whatever becomes of it.
//!
//! The kernel counts it for each program (`VmHWM`), and the tools put it into their metrics file.
//! `wait4` would count the test too: its own memory is that of the child until the child has become
//! the tool.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::bed::Bed;
use crate::command_line::{Finished, finish};

/// How a tool ended, and the most memory that it had.
#[derive(Debug)]
pub struct Measured {
    /// What it printed, and its status.
    pub finished: Finished,
    /// In bytes.
    pub peak: u64,
}

impl Bed {
    /// Runs the binary with these arguments, and measures it.
    ///
    /// # Panics
    /// If it does not start, prints a secret, or ends without saying what memory it took.
    pub async fn measure(&self, args: &[&str]) -> Measured {
        let path = self.path("metrics.prom");
        let file = path.to_str().unwrap();
        let args = [args, &["--metrics-file", file]].concat();
        let finished = finish(self.command(&args).spawn().unwrap()).await;
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
        std::fs::remove_file(path).unwrap();
        let peak = text.lines().find_map(|line| {
            let line = line.strip_prefix("lob_peak_memory_bytes")?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        });
        let peak = peak.unwrap() as u64;
        assert!(peak > 1 << 20, "{peak} bytes are no process: {text}");
        Measured { finished, peak }
    }
}

impl Measured {
    /// Asserts how it ended and that it took at most `most` MiB.
    ///
    /// # Panics
    /// If it did not, with everything the process printed.
    #[track_caller]
    pub fn expect(self, code: i32, most: u64) -> Finished {
        let peak = self.peak >> 20;
        let finished = self.finished.expect(code);
        assert!(peak <= most, "{peak} MiB of memory: {}", finished.shown());
        finished
    }
}

/// What the allocator may keep unused in small pieces, in bytes: it gives nothing back, and more so
/// the longer a tool runs, such as on a busy machine. The input that is added is far more than that.
const FRAGMENTS: u64 = 32 << 20;

/// Asserts that a tool takes no more memory for eight times the input than for the input once.
///
/// # Panics
/// If it takes more than a tenth and some fragments more.
#[track_caller]
pub fn assert_no_more_for_eight_times(once: u64, eight_times: u64) {
    let [one, eight] = [once, eight_times].map(|bytes| bytes >> 20);
    assert!(
        eight_times <= once + once / 10 + FRAGMENTS,
        "{one} MiB grew to {eight} MiB"
    );
}
