//! Where the value of each setting came from: `--show-settings` says it, and so does every error
//! about a value, since nobody mends a flag that was never typed.

use std::sync::{Arc, OnceLock};

use figment::value::Value;
use serde::Serialize;

use super::toml;
use super::value::NOT_SET;

/// The value of one setting as text, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingOrigin {
    /// The key, as in `lob.toml`.
    pub key: String,
    /// The value; `***` for a secret.
    pub value: String,
    /// The value as TOML; none for a secret, and where nothing is set.
    #[serde(skip)]
    pub toml: Option<String>,
    /// Such as ``flag `--bucket` `` or `default`.
    pub origin: String,
}

impl SettingOrigin {
    /// Shows another text than was found.
    pub(crate) fn show(&mut self, text: &str) {
        self.value = text.to_owned();
        self.toml = toml::of(&self.key, &Value::from(text));
    }
}

/// The origins of the settings of a command, from when they are resolved; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<OnceLock<Vec<SettingOrigin>>>);

impl Origins {
    /// Keeps what errors will tell. A command resolves its settings once.
    pub fn keep(&self, origins: &[SettingOrigin]) {
        self.0.get_or_init(|| origins.to_vec());
    }

    /// Where the values of these settings came from, a line each; none where there is no value.
    pub(crate) fn told(&self, keys: &[String]) -> Vec<String> {
        let origins = self.0.get().into_iter().flatten();
        let told = origins.filter(|origin| keys.contains(&origin.key) && origin.value != NOT_SET);
        told.map(|origin| format!("`{}`: {}", origin.key, origin.origin))
            .collect()
    }
}
