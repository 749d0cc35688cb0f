//! What each error means for the person running a tool: an exit status and a hint.

use std::error::Error as StdError;
use std::fmt;

use lob_core::failure::{ExitStatus, Failure};

use super::{Error, code};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(error.exit_status(), error.to_string());
        let failure = if error.is_lasting() {
            failure.lasting()
        } else {
            failure
        };
        let failure = failure.about(error.settings());
        let failure = match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        };
        if error.source().is_some() {
            failure.caused_by(CausesOf(error))
        } else {
            failure
        }
    }
}

impl Error {
    /// The settings whose values are rejected or may be wrong.
    fn settings(&self) -> &'static [&'static str] {
        match self {
            Self::InvalidUri { .. }
            | Self::UnescapedUri { .. }
            | Self::UnusableReadConcern
            | Self::NotPrimary { .. }
            | Self::Unreachable { .. }
            | Self::Authentication { .. }
            | Self::Replaced { .. }
            | Self::TwoUris => &["mongodb_uri", "mongodb_uri_file"],
            Self::UriFile { .. } => &["mongodb_uri_file"],
            Self::InvalidBatchLimits { .. } => &["insert_batch_size", "insert_batch_documents"],
            _ => &[],
        }
    }

    /// The exit status of a tool that fails with this error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::InvalidUri { .. }
            | Self::UriFile { .. }
            | Self::TokenFile { .. }
            | Self::TwoUris
            | Self::UnescapedUri { .. }
            | Self::Certificates { .. }
            | Self::UnusableReadConcern
            | Self::InvalidBatchLimits { .. } => ExitStatus::Usage,
            Self::DifferentDocument { .. } | Self::OutOfOrder { .. } | Self::OutOfRange { .. } => {
                ExitStatus::Integrity
            }
            Self::OutcomeUnknown { .. } => ExitStatus::Unknown,
            _ => ExitStatus::Failed,
        }
    }

    /// Whether the same command would fail again, because the cause lies in the documents, in the
    /// collection's definition or in the command.
    fn is_lasting(&self) -> bool {
        match self {
            Self::IdNotFirst
            | Self::InvalidDocument { .. }
            | Self::DocumentTooLarge { .. }
            | Self::ZeroTimestamp { .. }
            | Self::EqualIds { .. }
            | Self::InvalidDefinition { .. }
            | Self::TargetExists { .. } => true,
            Self::DocumentsRefused { source, .. } | Self::IndexRefused { source, .. } => {
                source.is_lasting()
            }
            _ => false,
        }
    }

    /// What to do about it, if anything can be done.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UriFile { .. } => {
                "set --mongodb-uri-file or LOB_MONGODB_URI_FILE to a file that holds the \
                 connection string and nothing else"
                    .into()
            }
            Self::TokenFile { .. } => "set AZURE_FEDERATED_TOKEN_FILE or \
                AWS_WEB_IDENTITY_TOKEN_FILE to the token file; outside Kubernetes use another \
                authMechanism"
                .into(),
            Self::TwoUris => {
                "set either MONGODB_URI or --mongodb-uri, or --mongodb-uri-file, not both".into()
            }
            Self::InvalidUri { .. } => "correct or remove it in MONGODB_URI, --mongodb-uri or the \
                file of --mongodb-uri-file; the form is \
                mongodb://USER:PASSWORD@HOST:PORT/?OPTION=VALUE&OPTION=VALUE"
                .into(),
            Self::UnescapedUri { .. } => "percent-encode `/ ? # [ ] @ : %` in the user name and \
                the password of MONGODB_URI or --mongodb-uri: %2F %3F %23 %5B %5D %40 %3A %25"
                .into(),
            Self::UnusableReadConcern => "remove readConcernLevel from MONGODB_URI or \
                --mongodb-uri, or set it to `local` or `majority`"
                .into(),
            Self::NotPrimary { .. } => {
                "remove directConnection from MONGODB_URI or --mongodb-uri: with \
                 readPreference=secondary the export still reads from a secondary, as of the \
                 primary's time"
                    .into()
            }
            Self::Certificates { source, .. } => source.hint().into(),
            Self::Unreachable { hosts, source } => source
                .unreachable_hint(hosts)
                .unwrap_or(
                    "check that the server is running and that MONGODB_URI or --mongodb-uri is \
                     right; --mongodb-server-selection-timeout sets how long to wait",
                )
                .into(),
            Self::ConnectionLost { source, .. } | Self::Driver { source, .. } => {
                return source.machine_hint().map(Into::into);
            }
            Self::Authentication { source, .. } if source.is_of_aws() => "the AWS user or role \
                must be a user of the database `$external`; without keys in the connection string, \
                it is the one that `aws sts get-caller-identity` names. Only Atlas and MongoDB \
                Enterprise support MONGODB-AWS"
                .into(),
            Self::Authentication { .. } => "check user name, password and `authSource` in \
                MONGODB_URI or --mongodb-uri"
                .into(),
            Self::Unauthorized {
                command: "insert", ..
            } => "grant the user the role `readWrite` there, and the action \
                `bypassDocumentValidation` if the exported collection had a validator"
                .into(),
            // It drops the target that it replaces.
            Self::Unauthorized {
                command: "renameCollection",
                ..
            } => "grant the user the actions `renameCollectionSameDB` and `dropCollection` there, \
                or the role `readWrite`"
                .into(),
            Self::Unauthorized { command, .. } => {
                let action = privilege(command);
                let role = if READS.contains(command) {
                    "read"
                } else {
                    "readWrite"
                };
                format!("grant the user the action `{action}` there, or the role `{role}`")
            }
            Self::TimedOut {
                command: "find" | "aggregate",
                ..
            } => "raise --mongodb-operation-timeout to wait longer for a reply; a lagging \
                secondary replies once it has reached the time of the plan"
                .into(),
            Self::TimedOut { .. } => {
                "raise --mongodb-operation-timeout to wait longer for a reply".into()
            }
            Self::NoSplits { .. } => "check --database and --collection-pattern".into(),
            Self::NoSuchSplits { existing, .. } => format!("it has: {}", existing.join(", ")),
            Self::View { .. } | Self::TimeSeries { .. } => {
                "choose other splits with --split, or copy it into an ordinary collection".into()
            }
            Self::EqualIds { .. } => {
                "give each of them an `_id` of its own, or choose other splits with --split".into()
            }
            Self::Sharded { .. } => "import under another --database or --collection-pattern, and \
                distribute the documents from there"
                .into(),
            Self::Replaced { .. } => "if MONGODB_URI or --mongodb-uri leads to another server than \
                before, correct it; otherwise run it again while nothing else changes the collection"
                .into(),
            Self::TooFewRanges { possible, .. } => format!(
                "set --ranges to {possible}, leave it out, or choose other splits with --split"
            ),
            Self::NoSnapshots { .. } => "leave out --snapshot, or read from a replica set of \
                MongoDB 5.0 or newer"
                .into(),
            Self::SnapshotGone { .. } => "this run cannot be resumed: raise \
                `minSnapshotHistoryWindowInSeconds` on the server above the duration of an \
                export, then start a new run"
                .into(),
            Self::WriteConcern { .. } => "check the members of the replica set, or choose another \
                --write-concern or a longer --write-concern-timeout"
                .into(),
            Self::InvalidDefinition { .. } => {
                "use the version that wrote the run, or skip the indexes with --no-indexes".into()
            }
            Self::IndexRefused { source, .. } if source.code == code::DUPLICATE_KEY => {
                "if the collection was changed while it was exported, export it with --snapshot; \
                 otherwise fix the index or the documents at the source, or skip the indexes with \
                 --no-indexes"
                    .into()
            }
            Self::IndexRefused { .. } => {
                "fix the index or the documents at the source, or skip the indexes with \
                 --no-indexes"
                    .into()
            }
            Self::TargetExists { .. } => {
                "leave out --no-replace to replace it, or choose another --database or \
                 --collection-pattern"
                    .into()
            }
            Self::SwapLost { .. } => "someone else renamed or dropped a collection in the \
                meantime: check what is there, then run it again"
                .into(),
            Self::OutcomeUnknown { .. } => {
                "when the server answers again, run the same command".into()
            }
            Self::InvalidBatchLimits { .. } => {
                "use at most 16MiB for --insert-batch-size and 100000 for --insert-batch-documents"
                    .into()
            }
            Self::Refused { source, .. } | Self::DocumentsRefused { source, .. } => {
                return source.hint().map(Into::into);
            }
            _ => return None,
        })
    }
}

/// The commands that the role `read` permits.
const READS: [&str; 8] = [
    "find",
    "getMore",
    "aggregate",
    "count",
    "collStats",
    "dbStats",
    "listCollections",
    "listIndexes",
];

/// The privilege action that MongoDB requires for `command`.
fn privilege(command: &str) -> &str {
    match command {
        "getMore" | "aggregate" | "count" => "find",
        "create" => "createCollection",
        "createIndexes" => "createIndex",
        "delete" => "remove",
        "drop" => "dropCollection",
        other => other,
    }
}

/// The causes of an error without the error itself, whose text is the failure's message.
#[derive(Debug)]
struct CausesOf(Error);

impl fmt::Display for CausesOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .source()
            .map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl StdError for CausesOf {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source().and_then(StdError::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Cause, Refusal};

    #[test]
    fn the_hint_distinguishes_an_unusable_server_from_one_that_is_down() {
        for (cause, told) in [
            ("invalid peer certificate: UnknownIssuer", "--ca-bundle"),
            ("tls handshake eof", "does not speak TLS"),
            (
                "none of the hosts is a member of the replica set `wrong`",
                "rs.status()",
            ),
            (
                "replicaSet name \"wrong\" does not match actual name \"rs0\"",
                "rs.status()",
            ),
            (
                "an invalid reply to a database operation: Invalid wire \
                 protocol opcode: 1684095520",
                "not a MongoDB server",
            ),
            ("h:1: connecting to a proxy host: no", "proxyHost"),
            ("I/O error: unexpected end of file", "tls=true"),
            ("Connection reset by peer (os error 104)", "tls=true"),
            ("Too many open files (os error 24)", "ulimit -n"),
            ("h:1 has not answered", "check that the server is running"),
            (
                "Connection refused (os error 111)",
                "check that the server is running",
            ),
        ] {
            let (hosts, source) = ("h".into(), Cause::new(cause));
            let hint = Error::Unreachable { hosts, source }.hint().unwrap();
            assert!(hint.contains(told), "{cause}: {hint}");
        }
    }

    #[test]
    fn a_lost_connection_mentions_the_limit_on_open_files() {
        let lost = Error::ConnectionLost {
            command: "hello",
            namespace: "admin".into(),
            hosts: "h".into(),
            source: Cause::new("I/O error: Too many open files (os error 24)"),
        };
        assert!(lost.hint().unwrap().contains("ulimit -n"));
    }

    #[test]
    fn percent_encoding_is_mentioned_only_if_it_is_missing() {
        let reason = "an `@`".into();
        let hint = |error: Error| error.hint().unwrap();
        assert!(!hint(Error::InvalidUri { reason }).contains("encode"));
        let reason = "an `@`";
        assert!(hint(Error::UnescapedUri { reason }).contains("percent-encode"));
    }

    #[test]
    fn a_missing_read_privilege_is_not_answered_with_a_write_role() {
        let hint = |command| {
            let namespace = "raw.a".into();
            Error::Unauthorized { command, namespace }.hint().unwrap()
        };
        assert!(hint("listIndexes").ends_with("the role `read`"));
        assert!(hint("createIndexes").ends_with("the role `readWrite`"));
    }

    #[test]
    fn a_failure_gives_message_cause_and_hint_once_each() {
        let failure = Failure::from(Error::WriteConcern {
            command: "insert",
            namespace: "raw.a".into(),
            source: Refusal {
                code: 64,
                name: "WriteConcernTimeout".into(),
                message: "late".into(),
                may_be_repeated: false,
            },
        });
        assert_eq!(failure.status, ExitStatus::Failed);
        assert!(failure.hint.as_deref().unwrap().contains("--write-concern"));
        let cause = failure.source().unwrap();
        assert_eq!(cause.to_string(), "late (code 64, WriteConcernTimeout)");
        assert!(cause.source().is_none());
    }

    #[test]
    fn an_unknown_outcome_keeps_its_status_and_its_whole_chain() {
        let lost = Error::TimedOut {
            command: "insert",
            namespace: "raw.a".into(),
            timeout: std::time::Duration::from_secs(3),
        };
        let failure = Failure::from(Error::OutcomeUnknown {
            command: "insert",
            namespace: "raw.a".into(),
            source: Box::new(lost),
        });
        assert_eq!(failure.status, ExitStatus::Unknown);
        let cause = failure.source().unwrap().to_string();
        assert_eq!(cause, "`insert` on `raw.a` got no reply within 3s");
    }
}
