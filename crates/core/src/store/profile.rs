//! A profile of the AWS configuration that is named must be there. The SDK goes on without it, and
//! says in the end that there are no credentials.

use std::env;

use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::failure::Failure;

/// Where profiles are looked for, and the variable that names another place.
const FILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
];

/// Looks for the profile `name`. Files that cannot be read are reported by what reads them later.
///
/// # Errors
/// A profile that is in none of the files.
pub(super) async fn check(name: &str) -> Result<(), Failure> {
    let (files, env) = (EnvConfigFiles::default(), Env::real());
    let profiles = aws_config::profile::load(&Fs::real(), &env, &files, None).await;
    // The profile `default` is there even where it is empty.
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
        .with_hint("name a profile that is there, or leave it out"))
}
