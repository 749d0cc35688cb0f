//! Where the value of each setting came from: `--show-settings` prints it, and so does every error
//! about a value, because nobody fixes a flag they never typed.

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
    /// The value in its own type; null if not set.
    pub value: serde_json::Value,
    /// The value as TOML; `None` for a secret, or if not set.
    #[serde(skip)]
    pub toml: Option<String>,
    /// For example ``flag `--bucket` `` or `default`.
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

    /// Replaces the value to show.
    pub(crate) fn show(&mut self, text: &str) {
        let (key, origin) = (self.key.clone(), self.origin.clone());
        *self = Self::new(key, &Value::from(text), origin);
    }
}

/// The origins of a command's settings, once they are resolved; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<OnceLock<Vec<SettingOrigin>>>);

impl Origins {
    /// Stores the origins for error messages. A command resolves its settings once.
    pub(crate) fn keep(&self, origins: &[SettingOrigin]) {
        self.0.get_or_init(|| origins.to_vec());
    }

    /// Where the values of these settings came from, one line each; settings without a value are
    /// left out.
    pub(crate) fn told<K: AsRef<str>>(&self, keys: &[K]) -> Vec<String> {
        let origins = self.0.get().into_iter().flatten();
        let is_asked = |key: &str| keys.iter().any(|asked| asked.as_ref() == key);
        let told = origins.filter(|origin| is_asked(&origin.key) && origin.text != NOT_SET);
        told.map(|origin| format!("`{}`: {}", origin.key, origin.origin))
            .collect()
    }
}
