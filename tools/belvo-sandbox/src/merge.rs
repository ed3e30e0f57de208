//! Patching a JSON object, as the control API does with accounts and rows.

use serde_json::Value;

/// Objects merge field by field, everything else replaces. Unlike RFC 7396 `null` is stored, not
/// taken as "remove": Belvo keeps every key and sends null.
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
