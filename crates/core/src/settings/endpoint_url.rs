//! The URL of an S3-compatible server. A URL without a scheme, a host or a numeric port is refused
//! before any request: it would look like a server that is down.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

use crate::text::bare;
use crate::text::remember_password_of;

/// Hosts of S3 Transfer Acceleration, which only accepts buckets as part of the host name.
const ACCELERATED: [&str; 2] = [
    "s3-accelerate.amazonaws.com",
    "s3-accelerate.dualstack.amazonaws.com",
];

/// The URL of a server: `http` or `https`, a host, optionally a port and a path, and no secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EndpointUrl(String);

/// The text is not the URL of an S3 server. The error does not repeat it: it may contain a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEndpointUrl {
    /// Not a URL, or the URL of something else.
    #[error(
        "expected a URL such as `https://HOST` or `http://HOST:PORT`, without quotes, white space, \
         `?` or `#`"
    )]
    Malformed,
    /// S3 requests are signed, and do not use a password as well.
    #[error(
        "the URL of an S3 server cannot hold a user and password: set the access keys separately"
    )]
    Login,
    /// An address that is only complete on one link of this machine.
    #[error("an IPv6 address with a zone, such as `%eth0`, is not supported")]
    Zone,
}

impl EndpointUrl {
    /// The host, if the server is reached over the network without TLS.
    pub(crate) fn plain_host(&self) -> Option<String> {
        let uri: Uri = self.0.parse().ok()?;
        let host = uri.host()?;
        let is_plain = uri.scheme_str() == Some("http") && !is_loopback(host);
        is_plain.then(|| host.to_owned())
    }

    /// Whether it is the URL of S3 Transfer Acceleration.
    pub(crate) fn is_accelerated(&self) -> bool {
        let uri = self.0.parse::<Uri>();
        uri.is_ok_and(|uri| uri.host().is_some_and(|host| ACCELERATED.contains(&host)))
    }
}

impl FromStr for EndpointUrl {
    type Err = InvalidEndpointUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = bare(text);
        remember_password_of(text);
        let uri: Uri = text.parse().map_err(|_| InvalidEndpointUrl::Malformed)?;
        let authority = uri.authority().ok_or(InvalidEndpointUrl::Malformed)?;
        let host = authority.host();
        if authority.as_str().contains('@') {
            return Err(InvalidEndpointUrl::Login);
        }
        if host.starts_with('[') && host.contains('%') {
            return Err(InvalidEndpointUrl::Zone);
        }
        // Only a port may follow the host.
        let port = authority.port_u16().map(|port| format!(":{port}"));
        let is_whole = authority
            .as_str()
            .ends_with(&format!("{host}{}", port.unwrap_or_default()));
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        // The parser silently drops a fragment.
        let is_bare = uri.query().is_none() && !text.contains('#');
        if has_scheme && is_whole && !host.is_empty() && is_bare {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEndpointUrl::Malformed)
        }
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::serialize_as_text!(EndpointUrl);

/// Whether a host, as written in a URL, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        // `::ffff:127.0.0.1` is 127.0.0.1.
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_to_this_machine_does_not_count_as_plain_http() {
        let plain = |url: &str| url.parse::<EndpointUrl>().unwrap().plain_host();
        assert_eq!(plain("http://10.0.0.1:9000").as_deref(), Some("10.0.0.1"));
        assert_eq!(plain("http://minio:9000").as_deref(), Some("minio"));
        for url in [
            "https://minio",
            "http://127.0.0.1:9000",
            "http://[::1]",
            "http://localhost",
            "http://LocalHost.",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert_eq!(plain(url), None, "{url}");
        }
    }

    #[test]
    fn the_url_of_a_server_needs_a_scheme_a_host_and_a_valid_port() {
        for url in [
            "http://127.0.0.1:9000",
            "https://s3.eu-central-1.amazonaws.com/",
            "http://my_minio:9000/gateway",
            "http://[::1]:9000",
        ] {
            assert!(url.parse::<EndpointUrl>().is_ok(), "{url}");
        }
        for text in [
            "127.0.0.1:9000",
            "localhost:9000",
            "s3.amazonaws.com",
            "s3://lob",
            "http://",
            "http://host:port",
            "http://host:99999",
            "http://host:",
            "http:/host",
            "http://host?x=1",
            "http://host/#x",
            "http://host name",
            "http://ho\nst",
            "https://user:pass@host",
            "http://[fe80::1%eth0]:9000",
            "\"http://host",
        ] {
            assert!(text.parse::<EndpointUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_with_a_password_is_refused_without_showing_it() {
        for url in ["https://user:pass@h/path", "'https://user:pass@h' "] {
            let refused = url.parse::<EndpointUrl>().unwrap_err();
            assert_eq!(refused, InvalidEndpointUrl::Login);
            assert!(!format!("{refused} {refused:?}").contains("pass@"));
        }
    }
}
