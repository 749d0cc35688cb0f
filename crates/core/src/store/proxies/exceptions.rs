//! The hosts in `NO_PROXY`: names with their subdomains, addresses, networks, and `*` for
//! everything, each also with a port. They are separated by commas, semicolons or white space; a
//! scheme, `*.` before a name, dots around it and brackets around an address are ignored.

use std::net::IpAddr;

/// Hosts to reach without a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exceptions(Vec<Exception>);

/// Hosts, and the port that counts if not all do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Everything,
    /// In lower case, without surrounding dots.
    Name(String),
    /// An address, and the number of leading bits that count.
    Network(IpAddr, u32),
}

impl Exceptions {
    /// The exceptions of a list, and its entries that match nothing.
    pub(super) fn of(list: &str) -> (Self, Vec<&str>) {
        let entries = list.split(|c: char| [',', ';'].contains(&c) || c.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty());
        let (mut exceptions, mut unusable) = (Vec::new(), Vec::new());
        for entry in entries {
            match Exception::of(entry) {
                Some(exception) => exceptions.push(exception),
                None => unusable.push(entry),
            }
        }
        (Self(exceptions), unusable)
    }

    /// Whether a host, as written in a URL, is one of them at this port.
    pub(super) fn contain(&self, host: &str, port: u16) -> bool {
        let host = plain(host);
        let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
        let address = address.ok();
        let of_port = |exception: &&Exception| exception.port.is_none_or(|own| own == port);
        let mut exceptions = self.0.iter().filter(of_port);
        exceptions.any(|exception| match (&exception.hosts, address) {
            (Hosts::Everything, _) => true,
            (Hosts::Network(network, bits), Some(address)) => starts_as(address, *network, *bits),
            (Hosts::Name(name), None) => {
                let above = host.strip_suffix(name.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            _ => false,
        })
    }
}

impl Exception {
    fn of(entry: &str) -> Option<Self> {
        let entry = match entry.split_once("://") {
            Some((_, host)) => host.trim_end_matches('/'),
            None => entry,
        };
        let (host, port) = match entry.rsplit_once(':') {
            // More colons are those of an IPv6 address.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (entry, None),
        };
        let hosts = Hosts::of(host)?;
        Some(Self { hosts, port })
    }
}

impl Hosts {
    fn of(text: &str) -> Option<Self> {
        let (host, bits) = text.split_once('/').unwrap_or((text, ""));
        let host = plain(host);
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let all = if address.is_ipv4() { 32 } else { 128 };
                let bits: u32 = match bits {
                    "" => all,
                    bits => bits.parse().ok().filter(|bits| *bits <= all)?,
                };
                Some(match address.to_canonical() {
                    // In `::ffff:10.0.0.0/104`, the last 8 bits of the prefix length apply to the
                    // IPv4 address.
                    v4 if v4.is_ipv4() && all == 128 => Self::Network(v4, bits.saturating_sub(96)),
                    address => Self::Network(address, bits),
                })
            }
            Err(_) if text == "*" => Some(Self::Everything),
            Err(_) => {
                let name = host.strip_prefix("*.").unwrap_or(&host);
                let is_name = !name.is_empty() && !name.contains('*') && bits.is_empty();
                is_name.then(|| Self::Name(name.to_owned()))
            }
        }
    }
}

fn plain(host: &str) -> String {
    host.trim_matches(['[', ']', '.']).to_ascii_lowercase()
}

/// Whether the first `bits` bits of two addresses are equal.
fn starts_as(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let differing = (a ^ b).checked_shr(width - bits).unwrap_or_default();
        differing == 0
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_matches_hosts_in_every_notation() {
        for (list, host) in [
            ("example.com", "s3.example.com"),
            (".example.com.", "EXAMPLE.com"),
            ("a b,example.com\tc", "s3.example.com."),
            ("*", "any.where"),
            ("10.0.0.0/8", "10.1.2.3"),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]"),
            ("10.1.2.3", "10.1.2.3"),
            ("[fe80::1]", "[fe80::1]"),
            ("fd00::/8", "[fd12::1]"),
            ("0.0.0.0/0", "8.8.8.8"),
            ("*.example.com", "s3.example.com"),
            ("s3.example.com:9000", "s3.example.com"),
            ("http://s3.example.com:9000/", "s3.example.com"),
            ("[fe80::1]:9000", "[fe80::1]"),
            ("a;example.com", "example.com"),
        ] {
            let (exceptions, unusable) = Exceptions::of(list);
            assert!(exceptions.contain(host, 9000), "{list} {host}");
            assert_eq!(unusable, [""; 0], "{list}");
        }
        for (list, host) in [
            ("", "example.com"),
            ("example.com", "notexample.com"),
            ("example.com", "example.com.evil"),
            ("10.0.0.0/8", "11.1.2.3"),
            ("example.com:443", "example.com"),
            ("10.1.2.3", "10.1.2.30"),
            ("fd00::/8", "10.1.2.3"),
        ] {
            assert!(!Exceptions::of(list).0.contain(host, 9000), "{list} {host}");
        }
    }

    #[test]
    fn an_entry_that_can_match_nothing_is_told() {
        let list = "10.0.0.0/99,192.0.2.*,s3.*.com,a:port,b/8,example.com";
        let (_, unusable) = Exceptions::of(list);
        assert_eq!(
            unusable,
            ["10.0.0.0/99", "192.0.2.*", "s3.*.com", "a:port", "b/8"]
        );
    }
}
