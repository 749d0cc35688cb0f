//! What the manifests of two runs over the same data have in common.

use serde_json::Value;

/// The manifest without these fields, wherever they stand in it.
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
