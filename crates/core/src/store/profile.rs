//! Checks that a named profile exists in the AWS configuration. The SDK would carry on without it,
//! and in the end report that there are no credentials.

use std::env;

use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::failure::Failure;

/// The files that hold profiles, each with the variable that overrides its path.
const FILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
];

/// Looks for the profile `name`. Files that cannot be read are reported later, by whatever reads
/// them.
///
/// # Errors
/// None of the files contains the profile.
pub(super) async fn check(name: &str) -> Result<(), Failure> {
    let (files, env) = (EnvConfigFiles::default(), Env::real());
    let profiles = aws_config::profile::load(&Fs::real(), &env, &files, None).await;
    // The profile `default` always exists, even if empty.
    if name == "default" || profiles.is_ok_and(|all| all.get_profile(name).is_some()) {
        return Ok(());
    }
    let paths = FILES.map(|(variable, default)| {
        let path = env::var(variable).unwrap_or_else(|_| default.to_owned());
        format!("`{path}`")
    });
    let message = format!("there is no AWS profile `{name}` in {}", paths.join(" or "));
    Err(Failure::usage(message)
        .about(&["profile"])
        .with_hint("use a profile that exists, or none"))
}
