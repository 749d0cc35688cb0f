//! Turns what the driver reports into one of our errors, without secrets or documents.

use mongodb::error::ErrorKind;

use super::refusal::may_be_repeated;
use super::{Cause, Error, Refusal, code};

/// The first commands on a new connection. An invalid argument in any later one does not come from
/// the connection string.
const CONNECTING: [&str; 2] = ["connect", "hello"];

impl Error {
    /// What the driver reports for `command`, as one of our errors.
    pub(crate) fn from_driver(
        error: &mongodb::error::Error,
        command: &'static str,
        namespace: &str,
        hosts: &str,
    ) -> Self {
        let namespace = namespace.to_owned();
        match error.kind.as_ref() {
            // What a source of AWS credentials says; the server has not seen any.
            ErrorKind::Authentication { message, .. }
                if message.starts_with("MONGODB-AWS failure: ")
                    && message.contains("credentials") =>
            {
                Self::Driver {
                    command,
                    namespace,
                    source: Cause::of_driver(&error.kind),
                }
            }
            ErrorKind::Authentication { .. } => Self::Authentication {
                hosts: hosts.to_owned(),
                source: Cause::of_driver(&error.kind),
            },
            ErrorKind::ServerSelection { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::IncompatibleServer { .. } => Self::Unreachable {
                hosts: hosts.to_owned(),
                source: Cause::of_driver(&error.kind),
            },
            ErrorKind::Command(refusal) if refusal.code == code::UNAUTHORIZED => {
                if refusal.message.ends_with("requires authentication") {
                    let source = Cause::new(&refusal.message);
                    return Self::Authentication {
                        hosts: hosts.to_owned(),
                        source,
                    };
                }
                Self::Unauthorized { command, namespace }
            }
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => Self::ConnectionLost {
                command,
                namespace,
                hosts: hosts.to_owned(),
                source: Cause::of_driver(&error.kind),
            },
            ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. }
                if CONNECTING.contains(&command) =>
            {
                Self::InvalidUri {
                    reason: Cause::of_driver(&error.kind).to_string(),
                }
            }
            ErrorKind::InvalidResponse { .. } | ErrorKind::Bson(_) => {
                let reason = Cause::of_driver(&error.kind).to_string();
                Self::InvalidReply {
                    command,
                    namespace,
                    reason,
                }
            }
            kind => match Refusal::of_driver(kind) {
                Some(refusal) => Self::Refused {
                    command,
                    namespace,
                    hosts: hosts.to_owned(),
                    source: Refusal {
                        may_be_repeated: may_be_repeated(error.labels()),
                        ..refusal
                    },
                },
                None => Self::Driver {
                    command,
                    namespace,
                    source: Cause::of_driver(kind),
                },
            },
        }
    }
}
