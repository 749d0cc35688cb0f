//! The file with the MONGODB-OIDC token in Kubernetes, which must exist.
//!
//! If it cannot be read, the driver (3.9.1) reports a lost connection.

use std::env;
use std::fs::File;

use crate::error::{Error, Result};

/// Variables that name the file, in the order in which the driver looks at them.
const VARIABLES: [&str; 2] = ["AZURE_FEDERATED_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];
/// Where Kubernetes puts the file.
const DEFAULT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Checks that the file can be read.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn check() -> Result<()> {
    let mut named = VARIABLES.iter().filter_map(|name| env::var(name).ok());
    let path = named.next().unwrap_or_else(|| DEFAULT.to_owned());
    match File::open(&path) {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::TokenFile { path, source }),
    }
}
