//! The hosts in `NO_PROXY`: names with their subdomains, addresses, networks, and `*` for
//! everything. They are separated by commas or white space; dots around a name and brackets around
//! an address are ignored.

use std::net::IpAddr;

/// Hosts to reach without a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exceptions(Vec<Exception>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    /// In lower case, without surrounding dots.
    Name(String),
    /// An address, and the number of leading bits that count.
    Network(IpAddr, u32),
}

impl Exceptions {
    pub(super) fn of(list: &str) -> Self {
        let hosts = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(hosts.filter_map(Exception::of).collect())
    }

    /// Whether a host, as written in a URL, is one of them.
    pub(super) fn contain(&self, host: &str) -> bool {
        let host = plain(host);
        let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
        let address = address.ok();
        self.0.iter().any(|exception| match (exception, address) {
            (Exception::Everything, _) => true,
            (Exception::Network(network, bits), Some(address)) => {
                starts_as(address, *network, *bits)
            }
            (Exception::Name(name), None) => {
                let above = host.strip_suffix(name.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            _ => false,
        })
    }
}

impl Exception {
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
            Err(_) => (!host.is_empty()).then_some(Self::Name(host)),
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
        ] {
            assert!(Exceptions::of(list).contain(host), "{list} {host}");
        }
        for (list, host) in [
            ("", "example.com"),
            ("example.com", "notexample.com"),
            ("example.com", "example.com.evil"),
            ("10.0.0.0/8", "11.1.2.3"),
            ("10.0.0.0/99", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.30"),
            ("fd00::/8", "10.1.2.3"),
        ] {
            assert!(!Exceptions::of(list).contain(host), "{list} {host}");
        }
    }
}
