//! Builds the SDK's client from the settings: what is pinned, what is explicit, what is measured.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::pool::{self, ConnectionPool, HttpsBuilder};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::shared::IntoShared as _;
use aws_types::service_config::ServiceConfigKey;

use super::credentials::{self, Asked};
use super::error_body::CutErrors;
use super::foreign::RefuseForeign;
use super::observe::Observer;
use super::profile;
use super::proxies::{Proxies, Routes};
use super::resolver::Resolver;
use super::retry::{ByAnswer, no_more_than, retry_config, retry_partition};
use crate::failure::Failure;
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::settings::{EndpointUrl, InvalidEndpointUrl};
use crate::settings::{PathStyle, S3Settings};
use crate::text::bare;
use crate::trust::Authorities;

/// S3 closes idle connections after about 20 seconds. We drop ours before that, so that no request
/// is sent on a closing connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Firewalls and NAT gateways forget connections that are silent for minutes, such as one that
/// waits for a server to complete an upload.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Covers everything that the credentials chain asks: a profile with SSO, a container, an instance.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);
/// How often to ask for the bucket at first, and how long to wait each time: less than 30 seconds
/// in total. A resolver whose first name server is down takes 5 of each wait.
const FIRST_ATTEMPTS: u32 = 4;
const FIRST_ANSWER: Duration = Duration::from_secs(6);
/// The SDK's 5 seconds kill healthy uploads over slow links (aws-sdk-rust #1146, #1202).
const STALLED_STREAM_GRACE: Duration = Duration::from_secs(60);

/// A client may be built a second time, for the region of the bucket.
static TOLD_OF_PLAIN_HTTP: Once = Once::new();

/// A client, and what it was built from.
pub(super) struct Built {
    pub(super) client: Client,
    /// The region that the SDK's chain resolved.
    pub(super) region: String,
    pub(super) credentials: Option<SharedCredentialsProvider>,
}

/// Builds the client of these settings.
pub(super) async fn build(
    settings: &S3Settings,
    limiter: &Limiter,
    metrics: &Metrics,
) -> Result<Built, Failure> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .operation_attempt_timeout(settings.attempt_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client(settings)?)
        .timeout_config(timeouts)
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled()
                .grace_period(STALLED_STREAM_GRACE)
                .build(),
        );
    credentials::check_environment()?;
    if let Some(region) = &settings.region {
        loader = loader.region(region_of(region)?);
    }
    profile::check(settings.profile.as_deref()).await?;
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    let base = loader.load().await;
    let endpoint = endpoint(settings, &base)?;
    if let Some(host) = endpoint.as_ref().and_then(EndpointUrl::plain_host) {
        let warn = || tracing::warn!(host, "data is sent and received unencrypted");
        TOLD_OF_PLAIN_HTTP.call_once(warn);
    }

    // S3-compatible servers do not care about the region, but a request cannot be signed without
    // one.
    let region = base.region().map(|region| bare(region.as_ref()));
    let region = region.filter(|region| !region.is_empty()).map(region_of);
    let region = region
        .transpose()?
        .unwrap_or_else(|| Region::from_static("us-east-1"));
    let in_path = in_path(settings.path_style, endpoint.as_ref());
    if in_path && settings.bucket()?.starts_with("arn:") {
        let message = "an access point cannot be addressed in path style, which this endpoint uses";
        return Err(Failure::usage(message)
            .about(&["bucket", "endpoint_url", "path_style"])
            .with_hint("leave out --endpoint-url and --path-style, or name the bucket itself"));
    }
    let mut config = aws_sdk_s3::config::Builder::from(&base)
        .region(region.clone())
        .force_path_style(in_path)
        // We compute every checksum and send it in a header. With "when required", the SDK adds
        // none of its own and never uses aws-chunked, which breaks compatible servers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(retry_config(settings.retry_timeout))
        // Set explicitly, since the SDK would derive it from the number of attempts.
        .identity_cache(
            IdentityCache::lazy()
                // Whatever takes too long says so itself before.
                .load_timeout(CREDENTIALS_TIMEOUT + Duration::from_secs(5))
                .build(),
        )
        .retry_partition(retry_partition(settings.bucket()?))
        .retry_classifier(ByAnswer)
        .interceptor(RefuseForeign)
        .interceptor(CutErrors)
        .interceptor(Observer {
            metrics: metrics.clone(),
            limiter: limiter.clone(),
            retry_timeout: settings.retry_timeout,
        });
    let mut credentials = None;
    if let Some(chain) = base.credentials_provider() {
        let asked = Asked::ask(chain, CREDENTIALS_TIMEOUT).await?;
        let asked = credentials.insert(SharedCredentialsProvider::new(asked));
        config = config.credentials_provider(asked.clone());
    }
    if let Ok(name) = AppName::new("lob-tools") {
        config = config.app_name(name);
    }
    // Set even if there is none: an empty variable would count as one.
    config.set_endpoint_url(endpoint.map(|url| url.to_string()));
    Ok(Built {
        client: Client::from_conf(config.build()),
        region: region.to_string(),
        credentials,
    })
}

/// The endpoint from the settings, or else from the AWS configuration, as the SDK would find it.
fn endpoint(settings: &S3Settings, base: &SdkConfig) -> Result<Option<EndpointUrl>, Failure> {
    if settings.endpoint_url.is_some() {
        return Ok(settings.endpoint_url.clone());
    }
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_s3 = base.service_config().zip(key.ok());
    let of_s3 = of_s3.and_then(|(config, key)| config.load_config(key));
    let of_all = || base.endpoint_url().map(str::to_owned);
    let found = of_s3.or_else(of_all).filter(|url| !url.is_empty());
    let found = found.map(|url| url.parse()).transpose();
    found.map_err(|invalid: InvalidEndpointUrl| {
        let message = "the `endpoint_url` of the AWS configuration cannot be used";
        Failure::usage(message).caused_by(invalid)
    })
}

/// A region, without white space or quotes around it.
///
/// # Errors
/// The text cannot be used to sign requests.
fn region_of(text: &str) -> Result<Region, Failure> {
    let text = bare(text);
    let is_of_one = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || !text.chars().all(is_of_one) {
        let message = format!("`{}` is not the name of a region", text.escape_debug());
        return Err(Failure::usage(message)
            .about(&["region"])
            .with_hint("write it as `eu-central-1`"));
    }
    Ok(Region::new(text.to_owned()))
}

fn in_path(style: PathStyle, endpoint: Option<&EndpointUrl>) -> bool {
    match style {
        PathStyle::Auto => endpoint.is_some_and(|url| !url.is_accelerated()),
        PathStyle::Path => true,
        PathStyle::Virtual => false,
    }
}

/// Few attempts, for the first request of a run: a wrong endpoint should be reported soon. They
/// take less than a second if nobody listens, and [`FIRST_ANSWER`] each if nobody answers.
pub(super) fn first_contact(connect_timeout: Duration) -> aws_sdk_s3::config::Builder {
    // This limits only connecting and answering: an attempt also waits for credentials.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(connect_timeout.min(FIRST_ANSWER))
        .read_timeout(FIRST_ANSWER);
    aws_sdk_s3::config::Builder::new()
        .timeout_config(timeouts.build())
        .retry_config(no_more_than(FIRST_ATTEMPTS))
}

/// The timeout of one attempt of a request with a body: that of any request, plus the time that
/// the body takes at the slowest rate.
pub(super) fn with_body(timeout: Duration) -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(timeout);
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build())
}

/// The timeout of one attempt of Complete. S3 keeps the connection alive by sending a space now
/// and then, which would count as a stalled stream.
pub(super) fn completing(timeout: Duration) -> aws_sdk_s3::config::Builder {
    with_body(timeout).stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

fn http_client(
    settings: &S3Settings,
) -> Result<aws_smithy_runtime_api::client::http::SharedHttpClient, Failure> {
    let authorities = Authorities::of_system_and(settings.ca_bundle.as_deref())?;
    let trusted = tls::TrustStore::empty().with_pem_certificate(authorities.pem());
    let context = tls::TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| Failure::usage("TLS cannot be set up").caused_by(error))?;
    let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let unusable = |error: Box<dyn Error + Send + Sync>| {
        Failure::usage("connections cannot be set up").caused_by(error)
    };
    let pool = || {
        ConnectionPool::builder()
            .tls_provider(rustls.clone())
            .tls_context(context.clone())
            .idle_timeout(POOL_IDLE_TIMEOUT)
            .tcp_keepalive(TCP_KEEP_ALIVE)
            .dns_resolver(Resolver)
    };
    let client = |pool: HttpsBuilder| {
        let pool = pool.build_https().map_err(|error| unusable(error.into()))?;
        pool::Client::new(&pool).map_err(|error| unusable(error.into()))
    };
    let proxies = Proxies::of_environment()?;
    let [of_https, of_http] = proxies.configs().map(|config| {
        let through = |config| client(pool().proxy_config(config));
        config.map(through).transpose()
    });
    let routes = Routes {
        proxies,
        direct: client(pool())?,
        of_https: of_https?,
        of_http: of_http?,
    };
    Ok(routes.into_shared())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transfer_acceleration_gets_no_bucket_in_the_path_by_default() {
        let of = |style, url: &str| in_path(style, Some(&url.parse().unwrap()));
        let accelerated = "https://s3-accelerate.amazonaws.com";
        assert!(of(PathStyle::Auto, "https://s3.example.com"));
        assert!(of(
            PathStyle::Auto,
            "https://s3.dualstack.eu-west-1.amazonaws.com"
        ));
        assert!(!of(PathStyle::Auto, accelerated));
        assert!(of(PathStyle::Path, accelerated));
        assert!(!of(PathStyle::Virtual, "https://s3.example.com"));
        assert!(!in_path(PathStyle::Auto, None));
    }
}
