//! The owner of a link's accounts, in the shape of `Owner`. It follows from the link alone and
//! rolls no dice, so that it changes no other data.

use serde_json::{Value, json};
use uuid::Uuid;

/// The owner of a link as Belvo shows it.
pub(crate) fn owner(link: &Value) -> Value {
    let id = link["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
    let id = Uuid::from_u128(!id.unwrap_or_default().as_u128());
    json!({
        "id": id.hyphenated().to_string(),
        "link": link["id"],
        "internal_identification": id.simple().to_string()[..8],
        "collected_at": link["last_accessed_at"],
        "created_at": link["created_at"],
        "display_name": "Ralph Bragg",
        "email": "ralph@bragg.example",
        "phone_number": null,
        "address": null,
        "document_id": { "document_type": "CPF", "document_number": "76109277673" },
    })
}
