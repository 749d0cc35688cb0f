//! The server error codes that this crate acts on.

use super::Refusal;

pub(crate) const UNAUTHORIZED: i32 = 13;
/// A batch with no documents, or with too many.
pub(crate) const INVALID_LENGTH: i32 = 16;
pub(crate) const NAMESPACE_NOT_FOUND: i32 = 26;
pub(crate) const CURSOR_NOT_FOUND: i32 = 43;
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
/// The time limit set by the command or the server has passed.
pub(crate) const MAX_TIME_EXPIRED: i32 = 50;
pub(crate) const COMMAND_NOT_FOUND: i32 = 59;
const NO_SUCH_MEMBER: i32 = 133;
/// A capped collection overwrote the documents at a cursor's position.
const CAPPED_POSITION_LOST: i32 = 136;
/// The collection of a running query was dropped or renamed.
pub(crate) const QUERY_PLAN_KILLED: i32 = 175;
pub(crate) const CURSOR_KILLED: i32 = 237;
pub(crate) const SNAPSHOT_TOO_OLD: i32 = 239;
pub(crate) const SNAPSHOT_UNAVAILABLE: i32 = 246;
pub(crate) const COLLECTION_UUID_MISMATCH: i32 = 361;
const RATE_LIMIT_EXCEEDED: i32 = 462;
const NOT_WRITABLE_PRIMARY_LEGACY: i32 = 10058;
const NOT_WRITABLE_PRIMARY: i32 = 10107;
pub(crate) const OBJECT_TOO_LARGE: i32 = 10334;
pub(crate) const DUPLICATE_KEY: i32 = 11000;
const NOT_PRIMARY_NO_SECONDARY_OK: i32 = 13435;
const NOT_PRIMARY_OR_SECONDARY: i32 = 13436;
/// `$sample` happened to meet the same document too often.
pub(crate) const SAMPLED_TWICE: i32 = 28799;
/// `min` is not below `max`.
pub(crate) const BOUNDS_IN_DISORDER: i32 = 51175;

/// What a code means for the command it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Transient, and nothing was done: the server is not the primary, or accepts no more requests.
    NotExecuted,
    /// Transient; whether anything was done is unknown.
    Interrupted,
    /// Passes once somebody has followed this advice.
    Blocked(&'static str),
    /// Never passes; this says why, or what to do instead.
    Never(&'static str),
}

const NO_ROOM: &str = "free space on the server or raise its quota";
const TOO_OLD: &str = "this server cannot be used: it does not support a command, or a field of \
    one, that the tool needs";
const OLD_NAMES: &str = "import into MongoDB 5.0 or newer, which allows field names that begin \
    with `$` or contain `.`";
const ATLAS_LIMIT: &str = "this is a limit of the Atlas cluster: see its metrics and its tier";
const NO_MEMORY: &str = "the server does not have enough memory for this query";
const BAD_NAME: &str =
    "check --database and --collection-pattern: the server does not allow this name";
const OTHER_CASE: &str =
    "choose another --database: the server has one whose name differs only in case";
const VALIDATED: &str = "the collection has a validator that these documents do not pass";
const VIEW: &str = "choose other splits with --split: a view has no documents of its own";
const NO_SUCH_CONCERN: &str =
    "the replica set has no write concern of this name: check --write-concern";
const TOO_FEW_MEMBERS: &str = "the replica set has too few members for this --write-concern";
const READ_CONCERN: &str =
    "remove readConcernLevel from MONGODB_URI or --mongodb-uri: the server does not support it";
const API_VERSION: &str = "remove apiVersion and apiStrict from MONGODB_URI or --mongodb-uri";
const WANTS_TLS: &str = "the server requires TLS: add `tls=true` to MONGODB_URI or --mongodb-uri";

/// The codes that say more than that the server refuses. Any other code is permanent.
const MEANINGS: [(i32, Meaning); 48] = [
    // The retryable codes of the driver specifications: a server that stops, starts or changes its
    // role, and the network between servers.
    (6, Meaning::Interrupted),
    (7, Meaning::Interrupted),
    (89, Meaning::Interrupted),
    (91, Meaning::Interrupted),
    (134, Meaning::Interrupted),
    (189, Meaning::Interrupted),
    (262, Meaning::Interrupted),
    (9001, Meaning::Interrupted),
    (11600, Meaning::Interrupted),
    (11602, Meaning::Interrupted),
    (NOT_WRITABLE_PRIMARY_LEGACY, Meaning::NotExecuted),
    (NOT_WRITABLE_PRIMARY, Meaning::NotExecuted),
    (NOT_PRIMARY_NO_SECONDARY_OK, Meaning::NotExecuted),
    (NOT_PRIMARY_OR_SECONDARY, Meaning::NotExecuted),
    // A lost cursor: the query can be run again.
    (CURSOR_NOT_FOUND, Meaning::Interrupted),
    (CURSOR_KILLED, Meaning::Interrupted),
    (CAPPED_POSITION_LOST, Meaning::Interrupted),
    // Other commands are in the way: a lock, a write, an operation on the same collection.
    (24, Meaning::Interrupted),
    (112, Meaning::Interrupted),
    (117, Meaning::Interrupted),
    // Time limits that the server itself puts on commands or write concerns.
    (MAX_TIME_EXPIRED, Meaning::Interrupted),
    (64, Meaning::Interrupted),
    // No member of the wanted kind, or none that answers the server in time.
    (NO_SUCH_MEMBER, Meaning::NotExecuted),
    (202, Meaning::Interrupted),
    (384, Meaning::Interrupted),
    // Too many requests, as reported by MongoDB itself and by Azure Cosmos DB.
    (RATE_LIMIT_EXCEEDED, Meaning::NotExecuted),
    (16500, Meaning::Interrupted),
    // A full disk, on a server and on an Atlas cluster.
    (14031, Meaning::Blocked(NO_ROOM)),
    (8000, Meaning::Blocked(ATLAS_LIMIT)),
    // Memory for a single query.
    (146, Meaning::Blocked(NO_MEMORY)),
    (292, Meaning::Blocked(NO_MEMORY)),
    // An older server, or one that is only partly compatible.
    (COMMAND_NOT_FOUND, Meaning::Never(TOO_OLD)),
    (115, Meaning::Never(TOO_OLD)),
    (238, Meaning::Never(TOO_OLD)),
    (303, Meaning::Never(TOO_OLD)),
    (40415, Meaning::Never(TOO_OLD)),
    (52, Meaning::Never(OLD_NAMES)),
    (57, Meaning::Never(OLD_NAMES)),
    (73, Meaning::Never(BAD_NAME)),
    (13297, Meaning::Never(OTHER_CASE)),
    (121, Meaning::Never(VALIDATED)),
    (166, Meaning::Never(VIEW)),
    // Options of the connection string.
    (79, Meaning::Never(NO_SUCH_CONCERN)),
    (100, Meaning::Never(TOO_FEW_MEMBERS)),
    (148, Meaning::Never(READ_CONCERN)),
    (322, Meaning::Never(API_VERSION)),
    (323, Meaning::Never(API_VERSION)),
    (386, Meaning::Never(WANTS_TLS)),
];

impl Refusal {
    fn meaning(&self) -> Option<Meaning> {
        let of_code = MEANINGS.iter().find(|(code, _)| *code == self.code);
        match of_code {
            Some((_, meaning)) => Some(*meaning),
            None if self.may_be_repeated => Some(Meaning::Interrupted),
            None => None,
        }
    }

    /// Whether the server may have stopped in the middle of the command.
    pub(crate) fn interrupts(&self) -> bool {
        self.is_transient() && self.meaning() != Some(Meaning::NotExecuted)
    }

    /// Whether the server would accept the same command a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        let passes = matches!(
            self.meaning(),
            Some(Meaning::NotExecuted | Meaning::Interrupted)
        );
        self.may_be_repeated || passes
    }

    /// Whether the server would refuse the same command again, whatever is done about the server.
    pub(crate) fn is_lasting(&self) -> bool {
        let is_blocked = matches!(self.meaning(), Some(Meaning::Blocked(_)));
        !self.is_transient() && !is_blocked
    }

    /// What to do about it, if the code tells.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.meaning()? {
            Meaning::Blocked(hint) | Meaning::Never(hint) => Some(hint),
            Meaning::NotExecuted | Meaning::Interrupted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn answered(code: i32) -> Refusal {
        Refusal {
            code,
            name: String::new(),
            message: "no".into(),
            may_be_repeated: false,
        }
    }

    #[test]
    fn each_code_has_one_meaning() {
        let codes: HashSet<_> = MEANINGS.iter().map(|(code, _)| code).collect();
        assert_eq!(codes.len(), MEANINGS.len());
    }

    #[test]
    fn an_error_code_tells_if_it_is_transient_and_if_work_may_be_done() {
        for (code, is_transient, interrupts, is_lasting) in [
            (11600, true, true, false),
            (NOT_WRITABLE_PRIMARY, true, false, false),
            (8000, false, false, false),
            (121, false, false, true),
            (DUPLICATE_KEY, false, false, true),
        ] {
            let refusal = answered(code);
            assert_eq!(refusal.is_transient(), is_transient, "{code}");
            assert_eq!(refusal.interrupts(), interrupts, "{code}");
            assert_eq!(refusal.is_lasting(), is_lasting, "{code}");
        }
    }

    #[test]
    fn a_retry_label_makes_any_error_code_transient() {
        let labelled = Refusal {
            may_be_repeated: true,
            ..answered(12345)
        };
        assert!(labelled.is_transient() && labelled.interrupts() && !labelled.is_lasting());
    }
}
