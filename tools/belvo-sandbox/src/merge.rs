//! Patching JSON, as the control API does with accounts and rows.

use serde_json::Value;

/// Merges objects field by field; any other value replaces what was there. Unlike in RFC 7396 a
/// `null` is stored instead of removing the field, because Belvo keeps every key and sends null.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, change) in patch {
                merge(target.entry(key).or_insert(Value::Null), change);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}
