//! What takes too long for every commit, and what it showed when it was last run.

/// A test of `cargo xtask long`.
pub struct LongRun {
    /// What is done.
    pub what: &'static str,
    /// The variables and the test that repeat it.
    pub command: &'static str,
    /// What it showed last, and when that was.
    pub outcome: &'static str,
}

/// Those that were run; `cargo xtask long` has more.
pub const LONG_RUNS: &[LongRun] = &[
    LongRun {
        what: "100,000 data files damaged at random",
        command: "LOB_MUTATIONS=100000 cargo test -p lob-columns --test mutations",
        outcome: "75,226 refused, 17,332 with another digest, 7,442 equal to the original; none \
                  ended the process, and it took 97 MiB (27 November 2026)",
    },
    LongRun {
        what: "503 to every request of each tool for 90 s, and 90 s without a network",
        command: "LOB_STORM_SECONDS=90 cargo test -p lob-tests --test faults storms",
        outcome: "each run ended with status 0 and was whole (27 November 2026)",
    },
    LongRun {
        what: "200 uploads and 200 imports that are killed twice each",
        command: "LOB_DOUBLE_KILLS=200 cargo test -p lob-tests --test crash double_kills",
        outcome: "the third process completed each of them (26 November 2026)",
    },
];
