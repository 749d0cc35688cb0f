//! An S3 client that inspects a bucket from outside, independently of the code under test.

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region, SharedHttpClient};

/// The region to use with our own servers, which have none.
pub(crate) const REGION: &str = "us-east-1";

/// A client for one of our own servers.
pub(crate) async fn with_keys(endpoint: &str, access_key: &str, secret_key: &str) -> Client {
    with_http_client(lob_testkit::http_client(), endpoint, access_key, secret_key).await
}

/// The same for a server with TLS, whose authority only this client may know.
pub(crate) async fn with_http_client(
    http_client: SharedHttpClient,
    endpoint: &str,
    access_key: &str,
    secret_key: &str,
) -> Client {
    let keys = Credentials::new(access_key, secret_key, None, None, "xtask");
    let settings = with_client(http_client)
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(keys);
    path_style(&settings.load().await)
}

/// A client for the server that the environment names.
pub(crate) async fn from_environment() -> Client {
    path_style(&with_client(lob_testkit::http_client()).load().await)
}

fn with_client(http_client: SharedHttpClient) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).http_client(http_client)
}

fn path_style(settings: &aws_config::SdkConfig) -> Client {
    let settings = aws_sdk_s3::config::Builder::from(settings).force_path_style(true);
    Client::from_conf(settings.build())
}
