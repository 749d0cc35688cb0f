//! The HTTP client for S3 clients in tests and xtask.
//!
//! The SDK's default would pull in a second TLS library, which takes a minute to compile.

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// A client for HTTP and HTTPS that uses the same TLS library as the tools.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}
