//! What the driver (3.9.1) says about a failure, without its internals: labels, debug output of its
//! own types, and phrases that are the same for every failure.

use lob_core::text::redact;
use mongodb::error::{ErrorKind, WriteFailure};

use super::unreachable::NO_PRIMARY;
use super::{Cause, Refusal};

/// How the driver's texts begin, and what of that is worth repeating.
const BEGINNINGS: [(&str, &str); 11] = [
    ("I/O error: ", ""),
    ("Command failed: ", ""),
    ("An invalid argument was provided: ", ""),
    ("Internal error: ", ""),
    ("An error occurred during DNS resolution: ", ""),
    ("The server does not support a database operation: ", ""),
    (
        "The server returned an invalid reply to a database operation: ",
        "an invalid reply to a database operation: ",
    ),
    (
        "An error occurred when connecting to a proxy host: ",
        "connecting to a proxy host: ",
    ),
    ("SCRAM failure: ", ""),
    ("MONGODB-AWS failure: ", "MONGODB-AWS: "),
    ("Server selection timeout: ", ""),
];

/// The driver's names for server types, and how people say them.
const ROLES: [(&str, &str); 8] = [
    ("RSPrimary", "is the primary"),
    ("RSSecondary", "is a secondary"),
    ("RSArbiter", "is an arbiter"),
    ("RSOther", "is not readable yet"),
    ("RSGhost", "is not in a replica set yet"),
    ("Standalone", "is not in a replica set"),
    ("Mongos", "is a mongos"),
    ("Unknown", "has not answered"),
];

impl Cause {
    /// What the driver said.
    pub(crate) fn of_driver(kind: &ErrorKind) -> Self {
        match Refusal::of_driver(kind) {
            Some(refusal) => Self::new(refusal),
            None => Self::new(plain(&kind.to_string())),
        }
    }
}

impl Refusal {
    /// What the server said; the first error if there are several.
    pub(super) fn of_driver(kind: &ErrorKind) -> Option<Self> {
        let (code, name, message) = match kind {
            ErrorKind::Command(error) => (error.code, Some(&error.code_name), &error.message),
            ErrorKind::Write(WriteFailure::WriteError(error)) => {
                (error.code, error.code_name.as_ref(), &error.message)
            }
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
                (error.code, Some(&error.code_name), &error.message)
            }
            ErrorKind::InsertMany(failed) => {
                let error = failed.write_errors.iter().flatten().next()?;
                (error.code, error.code_name.as_ref(), &error.message)
            }
            ErrorKind::BulkWrite(failed) => {
                let error = failed.write_errors.values().next()?;
                (error.code, error.code_name.as_ref(), &error.message)
            }
            _ => return None,
        };
        Some(Self {
            code,
            name: name.cloned().unwrap_or_default(),
            message: redact(message),
            may_be_repeated: false,
        })
    }
}

/// A text of the driver as a sentence.
fn plain(text: &str) -> String {
    if let Some((before, topology)) = text.split_once("Topology: { ") {
        return searched(before, topology);
    }
    // A nested error is written with all its parts.
    if let Some((before, nested)) = text.split_once("Kind: ") {
        let nested = nested.split(", labels: ").next().unwrap_or_default();
        let pool = before.strip_prefix("Connection pool for ");
        return match pool.and_then(|pool| pool.split_once(" cleared")) {
            Some((address, _)) => format!("{address}: {}", plain(nested)),
            None => plain(nested),
        };
    }
    for (beginning, said) in BEGINNINGS {
        if let Some(rest) = text.strip_prefix(beginning) {
            return format!("{said}{}", plain(rest));
        }
    }
    answered(text).unwrap_or_else(|| text.to_owned())
}

/// What the server answered, in the form of a [`Refusal`].
fn answered(text: &str) -> Option<String> {
    let (code, rest) = text.strip_prefix("Error code ")?.split_once(" (")?;
    let (name, message) = rest.split_once("): ")?;
    let refusal = Refusal {
        code: code.parse().ok()?,
        name: name.to_owned(),
        message: message.to_owned(),
        may_be_repeated: false,
    };
    Some(refusal.to_string())
}

/// What a search for a server found, server by server.
fn searched(before: &str, topology: &str) -> String {
    let servers: Vec<_> = topology.split("{ Address: ").skip(1).map(server).collect();
    let servers = servers.join("; ");
    if servers.is_empty() {
        let set = topology.split_once("Set Name: ").map(|(_, set)| set);
        let set = set.and_then(|set| set.split([',', ' ']).next());
        return match set {
            Some(set) => format!("none of the hosts is a member of the replica set `{set}`"),
            None => "there are no hosts".to_owned(),
        };
    }
    match before.split_once("suitable for criteria ") {
        Some((_, "ReadPreference(Primary). ")) => format!("{NO_PRIMARY}{servers}"),
        Some(_) => format!("no server matches readPreference: {servers}"),
        None => servers,
    }
}

fn server(described: &str) -> String {
    let (address, rest) = described.split_once(", Type: ").unwrap_or((described, ""));
    let told = [", Error: ", ", Compatiblity Error: "];
    let told = told.iter().find_map(|before| rest.split_once(before));
    if let Some((_, error)) = told {
        let error = match error.starts_with("Kind: ") {
            true => error,
            false => error.split(" }").next().unwrap_or_default(),
        };
        return format!("{address}: {}", plain(error));
    }
    let role = rest.split([',', ' ']).next().unwrap_or_default();
    let role = ROLES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(role));
    format!(
        "{address} {}",
        role.map_or("cannot be used", |(_, said)| said)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_messages_are_shown_without_internals() {
        let io = "I/O error: Connection refused (os error 111)";
        let nested = format!(
            "Kind: {io}, labels: {{\"RetryableError\", \"SystemOverloadedError\"}}, source: None, \
             server response: None"
        );
        let selection = "Server selection timeout: No available servers. Topology: { Type: ";
        for (said, shown) in [
            (io.to_owned(), "Connection refused (os error 111)"),
            (
                "Command failed: Error code 59 (CommandNotFound): no such command: 'x'".to_owned(),
                "no such command: 'x' (code 59, CommandNotFound)",
            ),
            (
                format!(
                    "Connection pool for a:1 cleared because another operation failed with: {nested}"
                ),
                "a:1: Connection refused (os error 111)",
            ),
            (
                format!(
                    "{selection}Unknown, Servers: [ {{ Address: a:1, Type: Unknown, Error: {nested} \
                     }}, {{ Address: b:2, Type: Unknown }} ] }}"
                ),
                "a:1: Connection refused (os error 111); b:2 has not answered",
            ),
            (
                format!("{selection}ReplicaSetNoPrimary, Set Name: wrong }}"),
                "none of the hosts is a member of the replica set `wrong`",
            ),
            (
                "Server selection timeout: None of the available servers suitable for criteria \
                 ReadPreference(Primary). Topology: { Type: ReplicaSetNoPrimary, Set Name: rs0, \
                 Servers: [ { Address: a:1, Type: RsSecondary, Average RTT: 1ms } ] }"
                    .to_owned(),
                "there is no primary: a:1 is a secondary",
            ),
            (
                "Server selection timeout: None of the available servers suitable for criteria \
                 ReadPreference(Nearest { options: Some(ReadPreferenceOptions) }). Topology: { \
                 Type: ReplicaSetWithPrimary, Servers: [ { Address: a:1, Type: RsPrimary, Tags: \
                 {} } ] }"
                    .to_owned(),
                "no server matches readPreference: a:1 is the primary",
            ),
            (
                "SCRAM failure: Authentication failed.".to_owned(),
                "Authentication failed.",
            ),
        ] {
            assert_eq!(plain(&said), shown);
        }
    }
}
