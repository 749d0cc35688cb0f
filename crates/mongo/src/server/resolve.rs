//! What the driver connects with: the connection string, plus the settings that it leaves open.

use std::time::Duration;

use mongodb::options::{AuthMechanism, ClientOptions, HostInfo, ServerAddress, Tls};

use super::connection_string::parse;
use super::oidc_token;
use super::read_concern::Durability;
use super::settings::MongoSettings;
use crate::error::unreachable::THROUGH;
use crate::error::{Cause, Error, Result};

/// The default port of a SOCKS5 proxy.
const SOCKS5_PORT: u16 = 1080;

/// A checked connection string, and the hosts that it names, for messages.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) options: ClientOptions,
    /// What its `readConcernLevel` asks for.
    pub(super) durability: Option<Durability>,
    pub(super) hosts: String,
}

/// Checks and parses the connection string. Looks up a `mongodb+srv` name.
pub(super) async fn resolve(settings: &MongoSettings) -> Result<Resolved> {
    let (mut parsed, warnings) = parse(settings.uri()?.expose())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let mut hosts = host_list(&parsed.host_info);
    if let Some(proxy) = &parsed.socks5_proxy {
        let port = proxy.port.unwrap_or(SOCKS5_PORT);
        hosts += &format!("{THROUGH}{}:{port}", proxy.host);
    }
    if let Some(Tls::Enabled(tls)) = &parsed.tls
        && tls.allow_invalid_certificates == Some(true)
    {
        tracing::warn!(%hosts, "the certificate of the MongoDB server is not checked");
    }
    if let Some(credential) = &parsed.credential
        && credential.mechanism == Some(AuthMechanism::MongoDbOidc)
    {
        oidc_token::check()?;
    }
    let level = parsed.read_concern.as_ref().map(|concern| &concern.level);
    let durability = level.map(Durability::read).transpose()?;
    parsed
        .connect_timeout
        .get_or_insert(settings.mongodb_connect_timeout);
    parsed
        .server_selection_timeout
        .get_or_insert(settings.mongodb_server_selection_timeout);
    parsed
        .max_pool_size
        .get_or_insert(settings.mongodb_pool_size.get());
    // This crate retries commands itself.
    parsed.max_adaptive_retries = Some(0);
    parsed
        .app_name
        .get_or_insert_with(|| "lob-tools".to_owned());

    let wait = parsed.server_selection_timeout.unwrap_or(Duration::MAX);
    let options = match tokio::time::timeout(wait, ClientOptions::parse(parsed)).await {
        Ok(Ok(options)) => options,
        Ok(Err(e)) => return Err(Error::from_driver(&e, "connect", &hosts, &hosts)),
        Err(_) => {
            let source = Cause::new("the lookup of its SRV record timed out");
            return Err(Error::Unreachable { hosts, source });
        }
    };
    Ok(Resolved {
        options,
        durability,
        hosts,
    })
}

fn host_list(hosts: &HostInfo) -> String {
    match hosts {
        HostInfo::HostIdentifiers(addresses) => {
            let hosts: Vec<_> = addresses.iter().map(address).collect();
            hosts.join(",")
        }
        HostInfo::DnsRecord(name) => name.clone(),
        _ => "the hosts of the connection string".to_owned(),
    }
}

/// An address as it is written in a connection string.
fn address(address: &ServerAddress) -> String {
    match address {
        ServerAddress::Tcp { host, port } if host.contains(':') => {
            let address = ServerAddress::Tcp {
                host: format!("[{host}]"),
                port: *port,
            };
            address.to_string()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use lob_core::text::{Secret, redact};

    use super::*;

    async fn reason(uri: &str) -> String {
        let settings = MongoSettings {
            mongodb_uri: Secret::new(uri),
            ..<_>::default()
        };
        resolve(&settings).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_malformed_password_is_refused_without_quoting_it() {
        for (uri, piece) in [
            ("mongodb://user:pass%e€WIDETAIL@localhost/", "WIDETAIL"),
            ("mongodb://user:MARKED?word@localhost/", "MARKED"),
            ("mongodb://user:SLASHED/word@localhost/", "SLASHED"),
            ("mongodb://user:COLONED:word@localhost/", "COLONED"),
            ("mongodb://user:ATTED@word@localhost/", "ATTED"),
            ("mongodb://user:PERCENT%word@localhost/", "PERCENT"),
            ("mongodb://user:HASHED#word@localhost/", "HASHED"),
            ("mongodb://user:OPTION@localhost/?tls=OPTION", "OPTION"),
            ("mongodb://user:MASKED?NAMED=word@localhost/", "NAMED"),
            ("mongodb://user:pw-5@x?AFTER=word@localhost/", "AFTER"),
            ("mongodb://user:WRAP\nPED@localhost/", "WRAP"),
            ("'mongodb://user:SPACED out@localhost/'", "SPACED"),
            ("\"mongodb://user:QUOTED@localhost/", "QUOTED"),
        ] {
            let text = reason(uri).await;
            assert!(text.starts_with("the MongoDB URI is not valid: "), "{text}");
            assert!(!text.contains(piece), "{text}");
        }
    }

    #[tokio::test]
    async fn the_decoded_password_is_masked_too() {
        let uri = "mongodb://user:p%40ss-decoded@localhost:1/";
        let settings = MongoSettings {
            mongodb_uri: Secret::new(uri),
            ..<_>::default()
        };
        let target = resolve(&settings).await.unwrap();
        assert_eq!(target.hosts, "localhost:1");
        assert_eq!(redact("got p@ss-decoded"), "got ***");
    }

    #[tokio::test]
    async fn a_connection_string_option_overrides_a_setting() {
        let uri = "mongodb://a:1,b:2/?serverSelectionTimeoutMS=7";
        let settings = MongoSettings {
            mongodb_uri: Secret::new(uri),
            ..<_>::default()
        };
        let target = resolve(&settings).await.unwrap();
        assert_eq!(target.hosts, "a:1,b:2");
        assert_eq!(
            target.options.server_selection_timeout,
            Some(Duration::from_millis(7))
        );
        assert_eq!(
            target.options.connect_timeout,
            Some(settings.mongodb_connect_timeout)
        );
    }

    #[tokio::test]
    async fn the_connection_string_sets_the_application_name() {
        for (uri, name) in [
            ("mongodb://a:1/?appName=nightly", "nightly"),
            ("mongodb://a:1/", "lob-tools"),
        ] {
            let settings = MongoSettings {
                mongodb_uri: Secret::new(uri),
                ..<_>::default()
            };
            let target = resolve(&settings).await.unwrap();
            assert_eq!(target.options.app_name.as_deref(), Some(name));
        }
    }

    #[tokio::test]
    async fn the_error_says_if_a_text_is_not_a_connection_string() {
        assert!(
            reason("localhost:27017")
                .await
                .contains("does not start with mongodb://")
        );
        assert!(
            reason("mongodb://")
                .await
                .starts_with("the MongoDB URI is not valid: ")
        );
    }
}
