//! How to reach MongoDB: the settings shared by all tools, and the flags that set them.
//!
//! Settings file, environment and flags share one namespace, so the fields of [`MongoArgs`] and
//! [`MongoSettings`] have the same names.

use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use lob_core::settings::{SettingOrigin, duration, whole};
use lob_core::text::bare;
use lob_core::text::{MASK, Secret};
use serde::{Deserialize, Serialize, Serializer};

use super::connection_string::without_secrets;
use crate::error::{Error, Result};

/// MongoDB's own default. It contains no secret, so serialization keeps it.
const DEFAULT_URI: &str = "mongodb://localhost:27017/";

/// A larger file holds something else.
const MAX_URI_BYTES: u64 = 64 << 10;

/// The resolved settings of a MongoDB connection. When serialized, the connection string has no
/// user name, password or options.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct MongoSettings {
    /// The connection string. An option in it overrides the corresponding setting here.
    #[serde(serialize_with = "shown")]
    pub mongodb_uri: Secret,
    /// A file to read the connection string from instead.
    pub mongodb_uri_file: Option<PathBuf>,
    /// How long opening a connection may take.
    #[serde(with = "humantime_serde")]
    pub mongodb_connect_timeout: Duration,
    /// How long to look for a usable server, for example while a replica set elects a primary.
    #[serde(with = "humantime_serde")]
    pub mongodb_server_selection_timeout: Duration,
    /// How long a command may take, from sending it to its complete reply.
    #[serde(with = "humantime_serde")]
    pub mongodb_operation_timeout: Duration,
    /// How long to retry transient failures, such as a server that is down.
    #[serde(with = "humantime_serde")]
    pub mongodb_retry_timeout: Duration,
    /// Maximum number of open connections per server.
    pub mongodb_pool_size: NonZeroU32,
}

impl Default for MongoSettings {
    fn default() -> Self {
        Self {
            mongodb_uri: Secret::new(DEFAULT_URI),
            mongodb_uri_file: None,
            mongodb_connect_timeout: Duration::from_secs(10),
            mongodb_server_selection_timeout: Duration::from_secs(15),
            mongodb_operation_timeout: Duration::from_secs(120),
            mongodb_retry_timeout: Duration::from_secs(20 * 60),
            mongodb_pool_size: const { NonZeroU32::new(64).unwrap() },
        }
    }
}

impl MongoSettings {
    /// Hides the default connection string if a file provides another, and warns of a password that
    /// was `typed`, where other users of the machine can read it.
    pub fn explain(&self, typed: &MongoArgs, origins: &mut Vec<SettingOrigin>) {
        if typed.has_password() {
            tracing::warn!("other users can read a password on the command line: set MONGODB_URI");
        }
        if self.mongodb_uri_file.is_some() {
            origins.retain(|shown| shown.key != "mongodb_uri" || shown.origin != "default");
        }
    }

    /// The connection string, read from its file if there is one.
    ///
    /// # Errors
    /// The file cannot be read or is too large, or a connection string is set as well.
    pub(crate) fn uri(&self) -> Result<Secret> {
        let Some(path) = &self.mongodb_uri_file else {
            return Ok(self.mongodb_uri.clone());
        };
        if self.mongodb_uri.expose() != DEFAULT_URI {
            return Err(Error::TwoUris);
        }
        let unreadable = |source| {
            let path = path.display().to_string();
            Error::UriFile { path, source }
        };
        let file = File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        let read = file.take(MAX_URI_BYTES + 1).read_to_string(&mut text);
        match read.map_err(unreadable)? as u64 {
            ..=MAX_URI_BYTES => Ok(Secret::new(bare(&text))),
            _ => Err(unreadable(io::ErrorKind::FileTooLarge.into())),
        }
    }
}

/// The flags of [`MongoSettings`].
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
#[command(next_help_heading = "MongoDB")]
pub struct MongoArgs {
    /// MongoDB connection string
    ///
    /// If it has a password, set the environment variable MONGODB_URI instead: other users of the
    /// machine can read command lines.
    #[arg(long, value_name = "URI")]
    #[serde(serialize_with = "exposed")]
    pub mongodb_uri: Option<Secret>,
    /// File with the MongoDB connection string
    #[arg(long, value_name = "FILE")]
    pub mongodb_uri_file: Option<PathBuf>,
    /// How long opening a MongoDB connection may take
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub mongodb_connect_timeout: Option<Duration>,
    /// How long to look for a usable MongoDB server
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub mongodb_server_selection_timeout: Option<Duration>,
    /// How long one MongoDB command may take
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub mongodb_operation_timeout: Option<Duration>,
    /// How long to keep trying if MongoDB is down or overloaded
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub mongodb_retry_timeout: Option<Duration>,
    /// Most connections to one MongoDB server
    #[arg(long, value_name = "COUNT", value_parser = whole::<NonZeroU32>)]
    pub mongodb_pool_size: Option<NonZeroU32>,
}

impl MongoArgs {
    fn has_password(&self) -> bool {
        self.mongodb_uri.as_ref().is_some_and(|uri| {
            let user_info = uri
                .expose()
                .rsplit_once('@')
                .map_or("", |(user_info, _)| user_info);
            user_info
                .split_once("://")
                .is_some_and(|(_, user_info)| user_info.contains(':'))
        })
    }
}

/// Marks omitted parts with a mask, so that nobody takes the rest for the whole.
fn shown<S: Serializer>(uri: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = without_secrets(uri.expose());
    if shown == uri.expose() || shown == MASK {
        shown.serialize(serializer)
    } else {
        format!("{shown} and {MASK}").serialize(serializer)
    }
}

/// The settings are built from the serialized flags, so the secret must survive here.
fn exposed<S: Serializer>(uri: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    uri.as_ref().map(Secret::expose).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_settings_survive_serialization() {
        let defaults = serde_json::to_value(MongoSettings::default()).unwrap();
        let settings: MongoSettings = serde_json::from_value(defaults).unwrap();
        assert_eq!(settings.mongodb_uri.expose(), DEFAULT_URI);
    }

    #[test]
    fn flags_keep_the_connection_string_and_settings_mask_it() {
        let args = MongoArgs {
            mongodb_uri: Some(Secret::new("mongodb://u:pw-9@h/")),
            ..<_>::default()
        };
        let typed = serde_json::to_value(&args).unwrap();
        let uri = serde_json::json!({ "mongodb_uri": "mongodb://u:pw-9@h/" });
        assert_eq!(typed["mongodb_uri"], uri["mongodb_uri"]);
        let settings: MongoSettings = serde_json::from_value(uri).unwrap();
        assert_eq!(settings.mongodb_uri.expose(), "mongodb://u:pw-9@h/");
        assert_eq!(settings.mongodb_operation_timeout, Duration::from_secs(120));
        let shown = serde_json::to_value(&settings).unwrap();
        assert_eq!(shown["mongodb_uri"], "mongodb://h/ and ***");
        assert!(!format!("{args:?} {settings:?}").contains("pw-9"));
    }

    #[test]
    fn the_connection_string_comes_from_its_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uri");
        let settings = |uri: &str| MongoSettings {
            mongodb_uri: Secret::new(uri),
            mongodb_uri_file: Some(path.clone()),
            ..<_>::default()
        };
        let missing = settings(DEFAULT_URI).uri().unwrap_err();
        assert!(missing.to_string().contains("cannot be read"), "{missing}");
        std::fs::write(&path, " mongodb://u:pw-in-file@h/\n").unwrap();
        let uri = settings(DEFAULT_URI).uri().unwrap();
        assert_eq!(uri.expose(), "mongodb://u:pw-in-file@h/");
        let two = settings("mongodb://other/").uri().unwrap_err();
        assert!(matches!(two, Error::TwoUris), "{two}");
        std::fs::write(&path, "m".repeat(65 << 10)).unwrap();
        assert!(settings(DEFAULT_URI).uri().is_err());
    }
}
