//! An S3 client that looks at a bucket from outside, past everything that is to be checked.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};

/// The region of our own servers, which know none.
pub(crate) const REGION: &str = "us-east-1";

/// A client for one of our own servers.
pub(crate) async fn with_keys(endpoint: &str, access_key: &str, secret_key: &str) -> Client {
    let keys = Credentials::new(access_key, secret_key, None, None, "xtask");
    let settings = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(keys);
    path_style(&settings.load().await)
}

/// A client for the server that the environment names.
pub(crate) async fn from_environment() -> Client {
    path_style(&aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await)
}

fn path_style(settings: &aws_config::SdkConfig) -> Client {
    let settings = aws_sdk_s3::config::Builder::from(settings).force_path_style(true);
    Client::from_conf(settings.build())
}
