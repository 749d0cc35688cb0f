//! Compares manifests of two runs over the same data.

use serde_json::Value;

/// The manifest with these fields removed at every level.
#[must_use]
pub fn without(mut manifest: Value, fields: &[&str]) -> Value {
    remove(&mut manifest, fields);
    manifest
}

fn remove(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|value| remove(value, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| remove(value, names)),
        _ => {}
    }
}
