//! The HTTP client for S3 clients in tests and xtask.

use std::io;

use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// A client for HTTP and HTTPS that uses the same TLS library as the tools.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The same, trusting no authority but the one with this certificate.
///
/// # Errors
///
/// If it is not a certificate in PEM.
pub fn http_client_trusting(authority: &str) -> io::Result<SharedHttpClient> {
    let trusted = TrustStore::empty().with_pem_certificate(authority);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context.map_err(io::Error::other)?);
    Ok(client.build_https())
}
