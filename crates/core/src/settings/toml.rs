//! Setting values as TOML, so that the output of `--show-settings` is a settings file.

use figment::value::Value;

use crate::text::MASK;

/// `value` as written after the `=`; `None` for what cannot be written there: a missing value, or
/// one that contains a secret.
pub(super) fn of(value: &Value) -> Option<String> {
    let mut text = String::new();
    let toml: ::toml::Value = match value {
        Value::Empty(..) => return None,
        Value::Array(_, items) if items.is_empty() => return None,
        Value::Dict(_, table) if table.is_empty() => return None,
        value => value.deserialize().ok()?,
    };
    let serializer = ::toml::ser::ValueSerializer::new(&mut text);
    serde::Serialize::serialize(&toml, serializer).ok()?;
    (!text.contains(MASK)).then_some(text)
}
