//! The registry of faults and bad inputs that the tools must survive or refuse: docs/RELIABILITY.md
//! is made from it, and `cargo xtask test faults` runs exactly the tests that it names.
//!
//! It cannot claim more than the tests do: a case without a test is open, a test that does not exist
//! fails lint, and a case whose tests pass without [`fault_fired`](lob_testkit::fault_fired) fails
//! the command.

mod a_s3_replies;
mod b_network;
mod c_process;
mod d_files;
mod e_mongodb;
mod f_documents;
mod g_hostile_input;
mod h_secrets;
mod long_runs;

pub use self::long_runs::{LONG_RUNS, LongRun};

/// Passes the fault by: status 0 and the same bytes as without it.
const RECOVERS: &str = "recovers";
/// Fails with a named error: nothing is published and no target touched.
const FAILS: &str = "fails cleanly";
/// Refuses before anything is written.
const REFUSES: &str = "refuses";

/// A fault or a bad input.
pub struct Case {
    /// Its group's letter and its number.
    pub id: &'static str,
    /// What goes wrong.
    pub fault: &'static str,
    /// What the tools must do then.
    pub expected: &'static str,
    /// The tests that provoke it.
    pub tests: &'static [&'static str],
    /// What these tests assert.
    pub asserts: &'static str,
    /// What no test shows yet, or why the case does not apply.
    exception: Exception,
}

enum Exception {
    None,
    Lacks(&'static str),
    NotApplicable(&'static str),
}

/// What the tests show of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Tests provoke it and assert the expected outcome.
    Held,
    /// Tests hold it except for this.
    Partly(&'static str),
    /// No test provokes it; this is needed.
    Open(&'static str),
    /// It cannot happen, for this reason.
    NotApplicable(&'static str),
}

impl Case {
    /// A case that is open until tests hold it.
    const fn new(id: &'static str, fault: &'static str, expected: &'static str) -> Self {
        Self {
            id,
            fault,
            expected,
            tests: &[],
            asserts: "",
            exception: Exception::None,
        }
    }

    /// The tests that hold it, and what they assert.
    const fn held_by(self, tests: &'static [&'static str], asserts: &'static str) -> Self {
        Self {
            tests,
            asserts,
            ..self
        }
    }

    /// What its tests do not show: such a case is only partly held, or open.
    #[must_use]
    pub const fn lacks(self, what: &'static str) -> Self {
        let exception = Exception::Lacks(what);
        Self { exception, ..self }
    }

    const fn not_applicable(self, reason: &'static str) -> Self {
        let exception = Exception::NotApplicable(reason);
        Self { exception, ..self }
    }

    /// Derived from its tests, never claimed.
    pub fn state(&self) -> State {
        match self.exception {
            Exception::NotApplicable(reason) => State::NotApplicable(reason),
            Exception::Lacks(what) if self.tests.is_empty() => State::Open(what),
            Exception::None if self.tests.is_empty() => State::Open("a test"),
            Exception::Lacks(what) => State::Partly(what),
            Exception::None => State::Held,
        }
    }
}

/// Cases of one kind.
pub struct Group {
    /// The letter that their ids begin with.
    pub letter: char,
    /// What they have in common.
    pub title: &'static str,
    /// In the order of their numbers.
    pub cases: &'static [Case],
}

/// All groups.
pub const GROUPS: [Group; 8] = [
    group('A', "Replies of S3", a_s3_replies::CASES),
    group('B', "The network", b_network::CASES),
    group('C', "The process and its host", c_process::CASES),
    group('D', "Files to upload", d_files::CASES),
    group('E', "MongoDB", e_mongodb::CASES),
    group('F', "Documents", f_documents::CASES),
    group('G', "Hostile input", g_hostile_input::CASES),
    group('H', "Secrets and rights", h_secrets::CASES),
];

const fn group(letter: char, title: &'static str, cases: &'static [Case]) -> Group {
    Group {
        letter,
        title,
        cases,
    }
}

/// How many cases are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All cases.
    pub all: usize,
    /// Those that are held.
    pub held: usize,
    /// Those that are partly held.
    pub partly: usize,
    /// Those without a test.
    pub open: usize,
    /// Those that cannot happen.
    pub not_applicable: usize,
}

impl Count {
    /// The count of all groups.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        cases.into_iter().fold(Self::default(), |mut count, case| {
            count.all += 1;
            match case.state() {
                State::Held => count.held += 1,
                State::Partly(_) => count.partly += 1,
                State::Open(_) => count.open += 1,
                State::NotApplicable(_) => count.not_applicable += 1,
            }
            count
        })
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            all,
            held,
            partly,
            open,
            not_applicable,
        } = self;
        write!(
            f,
            "{held} of {all} held, {partly} partly, {open} open, {not_applicable} not applicable"
        )
    }
}

/// The suites that `cargo xtask e2e` runs on real servers of which each test takes some to itself.
const COMMAND_LINES: [&str; 3] = [
    "crates/export/tests/cli",
    "crates/import/tests/cli",
    "crates/upload/tests/cli",
];

/// The suites that it runs on the same real servers.
const ON_REAL_SERVERS: [&str; 19] = [
    "crates/mongo/tests/mongo",
    "tests/tests/commands",
    "tests/tests/configuration",
    "tests/tests/host",
    "tests/tests/kills",
    "tests/tests/lag",
    "tests/tests/legacy",
    "tests/tests/live",
    "tests/tests/manifest_schema",
    "tests/tests/mongo_contract",
    "tests/tests/readers",
    "tests/tests/rights",
    "tests/tests/round_trip",
    "tests/tests/s3_contract",
    "tests/tests/snapshot",
    "tests/tests/soak",
    "tests/tests/tls",
    "tests/tests/upload_kills",
    "tests/tests/version_1",
];

/// Whether the tests in this file run on the real servers too.
pub fn runs_on_real_servers(file: &str) -> bool {
    let mut suites = ON_REAL_SERVERS.iter().chain(&COMMAND_LINES);
    suites.any(|suite| file.starts_with(suite))
}

/// The names of the suites that share real servers.
pub fn suites_on_real_servers() -> impl Iterator<Item = &'static str> {
    let suites = ON_REAL_SERVERS.iter();
    suites.filter_map(|suite| suite.rsplit('/').next())
}

/// All cases, in order.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    GROUPS.iter().flat_map(|group| group.cases)
}
