//! Manifest fields, as the demo shows and checks them.

use anyhow::Context as _;
use serde_json::Value;

/// The elements of a list field.
pub(super) fn entries<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a Vec<Value>> {
    value[name]
        .as_array()
        .with_context(|| format!("the manifest has no `{name}`"))
}

/// The string, or a dash.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
