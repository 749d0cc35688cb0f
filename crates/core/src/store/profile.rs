//! Checks the files of the AWS configuration, and that a named profile is in them. The SDK would
//! carry on without what it cannot read, and in the end report that there are no credentials.

use std::env;
use std::error::Error as _;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Once;

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::failure::Failure;

/// The files that hold profiles, each with the variable that overrides its path.
const FILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
];

/// Said once, although a second client may be built.
static TOLD: Once = Once::new();

/// Looks for the profile `name`. If it is found, or none is named, a file that cannot be read causes
/// only a warning: credentials may come from elsewhere.
///
/// # Errors
/// None of the files contains the profile, or one cannot be read.
pub(super) async fn check(name: Option<&str>) -> Result<(), Failure> {
    if name.is_none() && FILES.iter().any(is_a_pipe) {
        return Ok(());
    }
    let loaded = load().await;
    // The profile `default` always exists, even if empty.
    let missed = name.filter(|name| {
        let is_there = |all: &ProfileSet| all.get_profile(name).is_some();
        *name != "default" && !loaded.as_ref().is_ok_and(is_there)
    });
    let unreadable = FILES.iter().find_map(unreadable);
    let (message, hint) = match (missed, unreadable.or(loaded.err())) {
        (None, None) => return Ok(()),
        (None, Some(why)) => {
            TOLD.call_once(|| {
                tracing::warn!("a file of the AWS configuration is not used: {why}");
            });
            return Ok(());
        }
        (Some(name), Some(why)) => (
            format!("the AWS profile `{name}` cannot be read: {why}"),
            "correct the file, or use no profile",
        ),
        (Some(name), None) => {
            let paths = FILES.each_ref().map(|file| format!("`{}`", path(file).0));
            let message = format!("there is no AWS profile `{name}` in {}", paths.join(" or "));
            (
                message,
                "use a profile that exists, or none; in `config` it begins with `[profile NAME]`",
            )
        }
    };
    Err(Failure::usage(message).about(&["profile"]).with_hint(hint))
}

/// All profiles, or why the files cannot be parsed; none of their contents are in the reason.
async fn load() -> Result<ProfileSet, String> {
    let (files, env) = (EnvConfigFiles::default(), Env::real());
    let loaded = aws_config::profile::load(&Fs::real(), &env, &files, None).await;
    loaded.map_err(|error| {
        let told = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// The path of one of [`FILES`]: as it is written, and in full.
fn path(&(variable, default): &(&str, &str)) -> (String, PathBuf) {
    let path = env::var(variable).unwrap_or_else(|_| default.to_owned());
    let in_home = path.strip_prefix("~/").zip(env::home_dir());
    let full = in_home.map_or_else(|| PathBuf::from(&path), |(rest, home)| home.join(rest));
    (path, full)
}

/// Whether the file can be read only once.
fn is_a_pipe(file: &(&str, &str)) -> bool {
    let found = path(file).1.metadata();
    found.is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Why the SDK would take the file for empty although it is there.
fn unreadable(file: &(&str, &str)) -> Option<String> {
    let (path, full) = path(file);
    if is_a_pipe(file) {
        return None;
    }
    match fs::read_to_string(full) {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Some(format!("`{path}` is not UTF-8 text"))
        }
        Err(error) => Some(format!("`{path}`: {error}")),
    }
}
