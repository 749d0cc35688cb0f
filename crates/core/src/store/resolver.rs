//! Resolves host names with the system's resolver, and names the host in errors, which the system's
//! own errors do not.

use std::io;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver;

#[derive(Debug, thiserror::Error)]
#[error("the name `{name}` cannot be resolved")]
struct Unresolved {
    name: String,
    #[source]
    source: io::Error,
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            match tokio::net::lookup_host((name, 0)).await {
                Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
                Err(source) => Err(ResolveDnsError::new(Unresolved {
                    name: name.to_owned(),
                    source,
                })),
            }
        })
    }
}
