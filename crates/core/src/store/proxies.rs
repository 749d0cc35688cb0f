//! The proxies set in the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in
//! upper or lower case. Only this file reads them; the client is told the route of each request.
//!
//! Nearby addresses are always reached directly: this machine, and the addresses where a cloud
//! gives a machine or a container its credentials, which no proxy may see.

mod exceptions;

use std::error::Error;
use std::iter;
use std::net::IpAddr;
use std::sync::Once;

use aws_smithy_http_client::pool;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use hyper::Uri;

use self::exceptions::Exceptions;
use crate::failure::{Failure, UnusableProxy, Via};
use crate::settings::is_loopback;

/// For each scheme of a request, its variables in order of precedence: the first that is set and
/// not empty counts.
const VARIABLES: [[&str; 4]; 2] = [
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
];

/// The variables for hosts to reach without a proxy, with the same precedence.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Said once, although a second client may be built.
static TOLD_OF_EXCEPTIONS: Once = Once::new();

fn set(names: &[&'static str]) -> Option<(&'static str, String)> {
    let value = |name: &&'static str| Some((*name, std::env::var(name).ok()?));
    names
        .iter()
        .filter_map(value)
        .find(|(_, value)| !value.trim().is_empty())
}

/// The proxy settings of the environment, read once.
#[derive(Debug, Clone)]
pub(super) struct Proxies {
    of_https: Option<Proxy>,
    of_http: Option<Proxy>,
    exceptions: Exceptions,
}

/// The value of a proxy variable.
#[derive(Debug, Clone)]
struct Proxy {
    variable: &'static str,
    /// `None` if the value is not an HTTP proxy.
    url: Option<Uri>,
}

impl Proxies {
    /// Reads the environment.
    ///
    /// # Errors
    /// The list of exceptions would match other hosts than intended.
    pub(super) fn of_environment() -> Result<Self, Failure> {
        let exceptions = set(&EXCEPTIONS);
        if let Some((name, _)) = exceptions
            .as_ref()
            .filter(|(_, hosts)| hosts.contains(['"', '\'']))
        {
            let message = format!("the environment variable `{name}` contains quotes");
            let hint = "write it as `host,.domain,10.0.0.0/8`, or unset it";
            return Err(Failure::usage(message).with_hint(hint));
        }
        let [of_https, of_http] = VARIABLES.map(|names| {
            let (variable, value) = set(&names)?;
            let url = http_proxy(&value);
            Some(Proxy { variable, url })
        });
        let (name, exceptions) = exceptions.unwrap_or_default();
        let (exceptions, unusable) = Exceptions::of(&exceptions);
        TOLD_OF_EXCEPTIONS.call_once(|| {
            for entry in unusable {
                tracing::warn!("`{entry}` in the environment variable `{name}` matches no host");
            }
        });
        Ok(Self {
            of_https,
            of_http,
            exceptions,
        })
    }

    /// The client configurations for the proxies of `https` and of `http` requests.
    pub(super) fn configs(&self) -> [Option<ProxyConfig>; 2] {
        let url = |proxy: &Option<Proxy>| Some(proxy.as_ref()?.url.as_ref()?.to_string());
        [
            url(&self.of_https).and_then(|url| ProxyConfig::https(url).ok()),
            url(&self.of_http).and_then(|url| ProxyConfig::http(url).ok()),
        ]
    }

    /// The proxy of a request, if it has one.
    ///
    /// # Errors
    /// The proxy cannot be used.
    fn via(&self, url: &str) -> Result<Option<Via>, UnusableProxy> {
        let Ok(url) = url.parse::<Uri>() else {
            return Ok(None);
        };
        let is_tunnel = url.scheme_str() == Some("https");
        let proxy = if is_tunnel {
            &self.of_https
        } else {
            &self.of_http
        };
        let Some((host, proxy)) = url.host().zip(proxy.as_ref()) else {
            return Ok(None);
        };
        let port = url.port_u16().unwrap_or(if is_tunnel { 443 } else { 80 });
        if is_near(host) || self.exceptions.contain(host, port) {
            return Ok(None);
        }
        let variable = proxy.variable;
        let found = proxy.url.as_ref().ok_or(UnusableProxy { variable })?;
        let port = found.port_u16().unwrap_or(80);
        let host = found.host().unwrap_or_default();
        Ok(Some(Via {
            proxy: format!("{host}:{port}"),
            variable,
            is_tunnel,
        }))
    }
}

/// The URL of an HTTP proxy; the scheme defaults to `http`.
fn http_proxy(value: &str) -> Option<Uri> {
    let value = value.trim();
    let with_scheme = match value.contains("://") {
        true => value.to_owned(),
        false => format!("http://{value}"),
    };
    let url: Uri = with_scheme.parse().ok()?;
    let is_one = matches!(url.scheme_str(), Some("http" | "https"))
        && url.host().is_some_and(|host| !host.is_empty());
    is_one.then_some(url)
}

/// Whether a connection failed because a proxy opened no tunnel for it, in the words of hyper-util.
pub(super) fn failed(error: &ConnectorError) -> bool {
    says(error, "tunnel error")
}

/// Whether the proxy refused for lack of a user and a password.
pub(super) fn wants_login(error: &ConnectorError) -> bool {
    says(error, "proxy authorization required")
}

impl Via {
    /// The proxy that got in the way, if `error` or one of its causes names it.
    pub(super) fn blamed<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut causes = iter::successors(Some(error), |error| (*error).source());
        causes.find_map(|error| error.downcast_ref::<Blocked>().map(|blocked| &blocked.via))
    }

    /// Blames the proxy for `error` if it is what failed. Plain `http` connects only to the proxy;
    /// with a tunnel, only failures before it is established are the proxy's.
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
#[error("{via} did not open a tunnel")]
struct Blocked {
    via: Via,
    source: Box<dyn Error + Send + Sync>,
}

/// What a connection reported, as opposed to what the SDK says about a request that it never sent.
/// It is not a cause of its own.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct OfTransport(Box<dyn Error + Send + Sync>);

impl OfTransport {
    /// Whether `error` or one of its causes is this error.
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

/// `error`, of the same kind but with another source.
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
        // This kind tells the SDK whether to retry.
        () => ConnectorError::other(source, kind),
    };
    match connection {
        Some(connection) => rebuilt.with_connection(connection),
        None => rebuilt,
    }
}

/// A client without a proxy, and one for each proxy in the environment.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) proxies: Proxies,
    pub(super) direct: pool::Client,
    pub(super) of_https: Option<pool::Client>,
    pub(super) of_http: Option<pool::Client>,
}

impl HttpClient for Routes {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = |client: &pool::Client| client.http_connector(settings, components);
        SharedHttpConnector::new(Connectors {
            proxies: self.proxies.clone(),
            direct: connector(&self.direct),
            of_https: self.of_https.as_ref().map(connector),
            of_http: self.of_http.as_ref().map(connector),
        })
    }
}

#[derive(Debug)]
struct Connectors {
    proxies: Proxies,
    direct: SharedHttpConnector,
    of_https: Option<SharedHttpConnector>,
    of_http: Option<SharedHttpConnector>,
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let via = match self.proxies.via(request.uri()) {
            Ok(via) => via,
            Err(unusable) => {
                let refused = ConnectorError::user(unusable.into());
                return HttpConnectorFuture::ready(Err(refused));
            }
        };
        let proxied = via.and_then(|via| {
            let client = match via.is_tunnel {
                true => &self.of_https,
                false => &self.of_http,
            };
            Some((via, client.as_ref()?))
        });
        let Some((via, proxied)) = proxied else {
            let answer = self.direct.call(request);
            return HttpConnectorFuture::new(
                async move { answer.await.map_err(OfTransport::mark) },
            );
        };
        let answer = proxied.call(request);
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

/// Whether a host is this machine or on its link, where IMDS, ECS and EKS answer.
fn is_near(host: &str) -> bool {
    let gives_credentials = match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(v4)) => v4.is_link_local(),
        // `fd00:ec2::/32`: EC2's own services.
        Ok(IpAddr::V6(v6)) => v6.segments().starts_with(&[0xfd00, 0xec2]),
        Err(_) => false,
    };
    gives_credentials || is_loopback(host)
}

/// Whether `error` or one of its causes says `words`.
pub(super) fn says(error: &(dyn Error + 'static), words: &str) -> bool {
    error.to_string().contains(words) || error.source().is_some_and(|cause| says(cause, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_sources_of_credentials_are_reached_directly() {
        for near in [
            "169.254.169.254",
            "169.254.170.2",
            "[fd00:ec2::254]",
            "127.0.0.1",
            "[::ffff:127.0.0.1]",
            "LocalHost",
            "[::1]",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "bucket.s3.eu-central-1.amazonaws.com",
            "10.0.0.1",
            "localhost.example.com",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_that_speaks_http() {
        for proxy in [
            "http://proxy:3128",
            "https://u:p@proxy:3128/",
            "proxy:3128",
            "http://proxy:3128\n",
        ] {
            assert!(http_proxy(proxy).is_some(), "{proxy}");
        }
        for other in [
            "socks5://proxy:1080",
            "/proxy",
            "http://",
            "a proxy",
            "\"http://proxy\"",
        ] {
            assert!(http_proxy(other).is_none(), "{other}");
        }
    }
}
