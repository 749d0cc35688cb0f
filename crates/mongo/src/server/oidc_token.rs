//! The file that holds the token of MONGODB-OIDC in Kubernetes: it must be there.
//!
//! The driver (3.9.1) says of one that cannot be read that a connection was lost.

use std::env;
use std::fs::File;

use crate::error::{Error, Result};

/// Variables that name the file, as the driver looks for it, the first one set.
const VARIABLES: [&str; 2] = ["AZURE_FEDERATED_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];
/// Where Kubernetes puts it.
const DEFAULT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Looks whether the file can be read.
///
/// # Errors
/// It cannot.
pub(crate) fn check() -> Result<()> {
    let mut named = VARIABLES.iter().filter_map(|name| env::var(name).ok());
    let path = named.next().unwrap_or_else(|| DEFAULT.to_owned());
    match File::open(&path) {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::TokenFile { path, source }),
    }
}
