//! The proxies that the environment names: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`,
//! in capitals or small letters, read as curl reads them.
//!
//! What is near goes direct whatever they say: this machine, and the addresses at which a cloud
//! gives a machine or a container its credentials, which no proxy may see.

use std::error::Error;
use std::net::IpAddr;
use std::{fmt, iter};

use aws_smithy_http_client::pool;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use hyper_util::client::proxy::matcher::Matcher;

use super::error::says;
use crate::endpoint_url::is_loopback;
use crate::failure::Failure;

/// For each scheme of a request, the variables of which the first that is set counts.
const VARIABLES: [[&str; 4]; 2] = [
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
];

/// The variables of the hosts that are reached without one.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

fn set(names: &[&'static str]) -> Option<(&'static str, String)> {
    let value = |name: &&'static str| Some((*name, std::env::var(name).ok()?));
    names
        .iter()
        .filter_map(value)
        .find(|(_, value)| !value.is_empty())
}

/// Whether every proxy that the environment names is one that can be used.
///
/// # Errors
/// A variable that names no HTTP proxy, and a list of exceptions that would hold for other hosts than
/// it says.
pub(super) fn check() -> Result<(), Failure> {
    for (name, value) in VARIABLES.iter().filter_map(|names| set(names)) {
        if !is_http_proxy(&value) {
            let message = format!("the environment variable `{name}` names no HTTP proxy");
            let hint = "write it as `http://host:port` without quotes or white space, or unset it; \
                        SOCKS is not supported";
            return Err(Failure::usage(message).with_hint(hint));
        }
    }
    if let Some((name, _)) = set(&EXCEPTIONS).filter(|(_, hosts)| hosts.contains(['"', '\''])) {
        let message = format!("the environment variable `{name}` has quotes in it");
        let hint = "write it as `host,.domain,10.0.0.0/8`, or unset it";
        return Err(Failure::usage(message).with_hint(hint));
    }
    Ok(())
}

/// Without a scheme it is `http`.
fn is_http_proxy(value: &str) -> bool {
    let uri = value.parse::<hyper::Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), None | Some("http" | "https")) && uri.host().is_some()
    })
}

/// Whether a connection failed because a proxy made no tunnel for it, as hyper-util says it.
pub(super) fn failed(error: &ConnectorError) -> bool {
    says(error, "tunnel error")
}

/// Whether it did so for want of a user and a password.
pub(super) fn wants_login(error: &ConnectorError) -> bool {
    says(error, "proxy authorization required")
}

/// The proxy of a request, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Via {
    /// Host and port.
    proxy: String,
    variable: &'static str,
    /// Whether what goes through it is seen by the server alone.
    is_tunnel: bool,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} of `{}`", self.proxy, self.variable)
    }
}

impl Via {
    /// The one that stood in the way, if `error` or a cause of it says so.
    pub(super) fn blamed<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut causes = iter::successors(Some(error), |error| (*error).source());
        causes.find_map(|error| error.downcast_ref::<Blocked>().map(|blocked| &blocked.via))
    }

    /// What the person can do about it.
    pub(super) fn hint(&self) -> String {
        format!(
            "check {self}, with user and password in its URL where it wants them; NO_PROXY lists \
             hosts to reach directly"
        )
    }

    /// `error`, said of the proxy where it is what failed. Plain http has no connection but that to
    /// the proxy; in a tunnel only what fails before it stands is the proxy's.
    fn blame(self, error: ConnectorError) -> ConnectorError {
        if self.is_tunnel && !failed(&error) && !says(&error, "HTTP connect") {
            return error;
        }
        let via = self;
        rebuilt(error, |source| Box::new(Blocked { via, source }))
    }
}

/// A connection that failed at the proxy.
#[derive(Debug, thiserror::Error)]
#[error("{via} lets nothing through")]
struct Blocked {
    via: Via,
    source: Box<dyn Error + Send + Sync>,
}

/// What a connection said, to be told from what the SDK says of a request that it never made. It is
/// no cause of its own.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct OfTransport(Box<dyn Error + Send + Sync>);

impl OfTransport {
    /// Whether `error` or a cause of it is one.
    pub(super) fn is_in(error: &(dyn Error + 'static)) -> bool {
        iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<Self>())
    }

    fn mark(error: ConnectorError) -> ConnectorError {
        match error.is_other() {
            true => rebuilt(error, |source| Box::new(Self(source))),
            false => error,
        }
    }
}

/// `error` of the same kind, with another source.
fn rebuilt(
    error: ConnectorError,
    source: impl FnOnce(Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync>,
) -> ConnectorError {
    let (is_timeout, is_user, is_io) = (error.is_timeout(), error.is_user(), error.is_io());
    let (kind, connection) = (error.as_other(), error.connection_metadata().cloned());
    let source = source(error.into_source());
    let rebuilt = match () {
        () if is_timeout => ConnectorError::timeout(source),
        () if is_user => ConnectorError::user(source),
        () if is_io => ConnectorError::io(source),
        // What the SDK repeats, it knows by this kind.
        () => ConnectorError::other(source, kind),
    };
    match connection {
        Some(connection) => rebuilt.with_connection(connection),
        None => rebuilt,
    }
}

/// A client that goes through the proxies, and one that does not.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) direct: pool::Client,
    pub(super) proxied: pool::Client,
}

impl HttpClient for Routes {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connectors {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
            matcher: Matcher::from_env(),
        })
    }
}

#[derive(Debug)]
struct Connectors {
    direct: SharedHttpConnector,
    proxied: SharedHttpConnector,
    matcher: Matcher,
}

impl Connectors {
    /// The proxy of a request, chosen as the client behind `proxied` chooses it.
    fn via(&self, url: &str) -> Option<Via> {
        let url = url.parse().ok().filter(|_| !is_near(url))?;
        let proxy = self.matcher.intercept(&url)?;
        let is_tunnel = url.scheme_str() == Some("https");
        let [of_https, of_http] = &VARIABLES;
        let (variable, _) = set(if is_tunnel { of_https } else { of_http })?;
        let port = proxy.uri().port_u16().unwrap_or(80);
        let proxy = format!("{}:{port}", proxy.uri().host()?);
        Some(Via {
            proxy,
            variable,
            is_tunnel,
        })
    }
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(via) = self.via(request.uri()) else {
            let answer = self.direct.call(request);
            return HttpConnectorFuture::new(
                async move { answer.await.map_err(OfTransport::mark) },
            );
        };
        let answer = self.proxied.call(request);
        HttpConnectorFuture::new(async move {
            let blamed = |error| via.clone().blame(OfTransport::mark(error));
            let mut answer = answer.await.map_err(blamed)?;
            if !via.is_tunnel {
                answer.add_extension(via);
            }
            Ok(answer)
        })
    }
}

/// Whether a URL is of this machine or of its link, where IMDS, ECS and EKS answer.
fn is_near(url: &str) -> bool {
    let url = url.parse::<hyper::Uri>().ok();
    let Some(host) = url.as_ref().and_then(hyper::Uri::host) else {
        return false;
    };
    let gives_credentials = match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(v4)) => v4.is_link_local(),
        // `fd00:ec2::/32`: EC2's own services.
        Ok(IpAddr::V6(v6)) => v6.segments().starts_with(&[0xfd00, 0xec2]),
        Err(_) => false,
    };
    gives_credentials || is_loopback(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_credentials_and_this_machine_are_asked_directly() {
        for near in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://[fd00:ec2::254]/latest",
            "http://127.0.0.1:9000/bucket",
            "http://localhost:9000/",
            "http://[::1]:9000/",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "https://bucket.s3.eu-central-1.amazonaws.com/",
            "http://10.0.0.1:9000/",
            "http://localhost.example.com/",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_that_speaks_http() {
        for proxy in ["http://proxy:3128", "https://u:p@proxy:3128/", "proxy:3128"] {
            assert!(is_http_proxy(proxy), "{proxy}");
        }
        for other in [
            "socks5://proxy:1080",
            "/proxy",
            "http://",
            "a proxy",
            "\"http://proxy\"",
        ] {
            assert!(!is_http_proxy(other), "{other}");
        }
    }
}
