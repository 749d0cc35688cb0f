//! Why a named server cannot be used, going by what the driver saw: it may well be running.

use lob_core::cli::MORE_OPEN_FILES;
use lob_core::failure::Disagreement;

use super::Cause;

/// What the driver (3.9.1) says, and what to do about it; the first match counts.
const TOLD: [(&str, &str); 10] = [
    ("does not match actual name", NAME_THE_SET),
    ("is a member of the replica set", NAME_THE_SET),
    (
        NO_PRIMARY,
        "run `rs.status()` to see why the replica set has none, and list more of its members in \
         MONGODB_URI or --mongodb-uri",
    ),
    (
        "no server matches readPreference",
        "remove readPreference and its tags from MONGODB_URI or --mongodb-uri, or ask for members \
         that exist",
    ),
    (
        "invalid reply to a database operation",
        "this is not a MongoDB server: check host and port in MONGODB_URI or --mongodb-uri",
    ),
    ("connecting to a proxy host", CHECK_PROXY),
    (
        "initialize in load balancing mode",
        "remove loadBalanced from MONGODB_URI or --mongodb-uri: this is not a MongoDB load \
         balancer",
    ),
    ("Too many open files", MORE_OPEN_FILES),
    ("end of file", CLOSED),
    ("Connection reset", CLOSED),
];

const NAME_THE_SET: &str = "set replicaSet in MONGODB_URI or --mongodb-uri to the name that \
    `rs.status()` shows, or remove it";

const CLOSED: &str = "something at this address accepts connections and closes them: add tls=true to \
    MONGODB_URI or --mongodb-uri if MongoDB requires TLS, remove all options that begin with tls if \
    it has none; behind a tunnel or a load balancer, check that MongoDB is running";

/// How [`Cause`] begins where none of the servers that it lists is a primary.
pub(super) const NO_PRIMARY: &str = "there is no primary: ";

/// What a name or address says that belongs to another network.
const NO_WAY: [&str; 4] = [
    "failed to lookup address",
    "timed out",
    "No route to host",
    "Network is unreachable",
];

const OTHER_NAMES: &str = "this is how the replica set names its members, and this machine cannot \
    reach them by these names: make the names known here, or add directConnection=true to MONGODB_URI \
    or --mongodb-uri, whose host must then be the primary";

/// Separates the hosts of a connection string from the proxy that it names.
pub(crate) const THROUGH: &str = " through the proxy ";

const CHECK_PROXY: &str = "check that the proxy is running, that proxyHost and proxyPort in \
    MONGODB_URI or --mongodb-uri are right, and that it can reach the server";

impl Cause {
    /// What to do about it, if the cause says more than that nobody answers.
    pub(crate) fn unreachable_hint(&self, hosts: &str) -> Option<&'static str> {
        if let Some(disagreement) = Disagreement::told_by(&self.0) {
            return Some(disagreement.hint());
        }
        // Whatever the driver says about a proxied connection comes from the proxy or is about it.
        if hosts.contains(THROUGH) {
            return Some(CHECK_PROXY);
        }
        let mut told = TOLD.iter().filter(|(piece, _)| self.0.contains(piece));
        match told.next() {
            Some((piece, _)) if *piece == NO_PRIMARY && self.is_about_others(hosts) => {
                Some(OTHER_NAMES)
            }
            Some((_, hint)) => Some(hint),
            None => self.is_about_others(hosts).then_some(OTHER_NAMES),
        }
    }

    /// Whether the driver found no way to any server, and none of them is a host of the connection
    /// string: it goes by the names that a replica set gives its members.
    fn is_about_others(&self, hosts: &str) -> bool {
        let servers = self.0.strip_prefix(NO_PRIMARY).unwrap_or(&self.0);
        let mut servers = servers.split("; ").map(|server| server.split_once(": "));
        let is_other =
            |address: &str| is_address(address) && !hosts.split(',').any(|h| h == address);
        let is_lost = |(address, why): (&str, &str)| {
            is_other(address) && NO_WAY.iter().any(|words| why.contains(words))
        };
        hosts.split(',').all(is_address) && servers.all(|server| server.is_some_and(is_lost))
    }

    /// What to do about a limit of this machine that prevents connections.
    pub(crate) fn machine_hint(&self) -> Option<&'static str> {
        if self.is_of_aws() {
            return Some("run `aws sts get-caller-identity` to see why there are no credentials");
        }
        let is_of_files = self.0.contains("Too many open files");
        is_of_files.then_some(MORE_OPEN_FILES)
    }
}

/// Whether this is a host with a port.
fn is_address(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    port.is_some_and(|port| port.is_ok()) && !text.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_under_other_names_than_those_of_the_connection_string_are_told_from_a_dead_server() {
        let is_told = |cause: &str, hosts: &str| {
            Cause::new(cause).unreachable_hint(hosts) == Some(OTHER_NAMES)
        };
        let lookup = "failed to lookup address information: Name or service not known";
        let member = format!("mongo-0.x:27017: {lookup}");
        assert!(is_told(&member, "127.0.0.1:27017"));
        assert!(is_told(
            &format!("{member}; mongo-1.x:27017: {lookup}"),
            "h:1,i:1"
        ));
        assert!(is_told(&format!("{NO_PRIMARY}{member}"), "h:1"));
        assert!(!is_told(&member, "mongo-0.x:27017"));
        assert!(!is_told(
            &format!("{member}; h:1: Connection refused"),
            "h:1"
        ));
        assert!(!is_told(&member, "the hosts of the connection string"));
        assert!(!is_told(lookup, "h:1"));
        // It was reached by this name before.
        for why in [
            "Connection refused (os error 111)",
            "Too many open files (os error 24)",
        ] {
            assert!(
                !is_told(&format!("localhost:27017: {why}"), "127.0.0.1:27017"),
                "{why}"
            );
        }
    }
}
