//! What S3 clients of tests and xtask send requests by: the SDK's own default would bring a second
//! TLS library, which takes a minute to compile.

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// A client for HTTP and HTTPS with the TLS library of the tools.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}
