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
        what: "200 uploads, 200 exports and 200 imports that are killed twice each",
        command: "LOB_DOUBLE_KILLS=200 cargo test -p lob-tests --test crash double_kills",
        outcome: "the third process completed each of them (uploads and imports 26 November 2026, \
                  exports 27 November 2026)",
    },
    LongRun {
        what: "200 exports, each with its import, while one in twenty requests to either server fails",
        command: "LOB_SOAK_RUNS=200 cargo test -p lob-tests --test soak",
        outcome: "each of them completed with the right documents, although 1,102 requests of S3 and \
                  1,670 of MongoDB went wrong (27 November 2026)",
    },
    LongRun {
        what: "200 uploads of 20 files while one in twenty requests fails, and 100 of files that change",
        command: "LOB_SOAK_RUNS=200 cargo test -p lob-upload --test cli soak",
        outcome: "each upload completed with the right bytes, and no file that changed was published \
                  with wrong ones (28 November 2026)",
    },
    LongRun {
        what: "20 mutants of the code that settles, records, commits and swaps, drawn with the seed \
               20261127 (Python's `random.sample`) from 233",
        command: "cargo mutants --workspace --list --json -f committed.rs -f attest.rs -f \
                  conditional.rs -f completion.rs -f commit.rs -f confirm.rs -f chain.rs -f \
                  export_range.rs -f swap.rs -f entries.rs -e crates/upload/**",
        outcome: "18 were caught, one of them by a test that no longer ended; each of the other two \
                  got a test: `a_complete_that_died_on_the_server_is_retried_for_the_same_upload` \
                  where parts cannot be listed, and \
                  `a_commit_refuses_an_object_that_is_not_the_one_of_its_record` (27 November 2026)",
    },
];
