//! Where the value of each setting came from: `--show-settings` says it, and so does every error
//! about a value, since nobody mends a flag that was never typed.

use std::sync::{Arc, OnceLock};

use figment::value::Value;
use serde::Serialize;

use super::value::NOT_SET;
use super::{toml, value};

/// The value of one setting, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingOrigin {
    /// The key, as in `lob.toml`.
    pub key: String,
    /// The value as a text; `***` for a secret.
    #[serde(skip)]
    pub text: String,
    /// The value in its own kind: null where nothing is set.
    pub value: serde_json::Value,
    /// The value as TOML; none for a secret, and where nothing is set.
    #[serde(skip)]
    pub toml: Option<String>,
    /// Such as ``flag `--bucket` `` or `default`.
    pub origin: String,
}

impl SettingOrigin {
    pub(super) fn new(key: String, value: &Value, origin: String) -> Self {
        Self {
            text: value::shown(value),
            value: serde_json::to_value(value).unwrap_or_default(),
            toml: toml::of(value),
            key,
            origin,
        }
    }

    /// Shows another text than was found.
    pub(crate) fn show(&mut self, text: &str) {
        let (key, origin) = (self.key.clone(), self.origin.clone());
        *self = Self::new(key, &Value::from(text), origin);
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
        let told = origins.filter(|origin| keys.contains(&origin.key) && origin.text != NOT_SET);
        told.map(|origin| format!("`{}`: {}", origin.key, origin.origin))
            .collect()
    }
}
