//! The bodies of webhooks: as Belvo documents them, with a plausible `data` where it does not.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{link::Link, resource::Resource, row::Filter};

/// The fields of a body.
pub(crate) fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let owned = fields.map(|(name, value)| (name.to_owned(), value));
    Map::from_iter(owned)
}

/// The webhook that ends an asynchronous retrieval. The 202 carried the request id as 32 hex
/// digits; webhooks print the same id with dashes.
pub(crate) fn retrieved(link: &Link, request: Uuid, filter: &Filter) -> Map<String, Value> {
    fields([
        ("webhook_id", json!(Uuid::new_v4().simple().to_string())),
        ("webhook_type", json!(filter.resource.webhook_type)),
        ("process_type", json!("historical_update")),
        ("webhook_code", json!("historical_update")),
        ("link_id", json!(link.id)),
        ("external_id", link.object["external_id"].clone()),
        ("data", totals(link, filter)),
        ("request_id", json!(request.hyphenated().to_string())),
    ])
}

/// Any webhook of a link: the documented fields for its type and code, overridden by `given` word
/// for word. A given `null` removes the field, except `external_id`, which Belvo sends as null.
pub(crate) fn event(link: &Link, given: &Map<String, Value>) -> Map<String, Value> {
    let text = |key: &str| given.get(key).and_then(Value::as_str);
    let kind = text("webhook_type").unwrap_or("TRANSACTIONS");
    let code = text("webhook_code").unwrap_or("historical_update");
    let mut body = documented(link, kind, code);

    for (key, value) in given {
        if value.is_null() && key != "external_id" {
            body.remove(key);
        } else {
            body.insert(key.clone(), value.clone());
        }
    }
    body
}

fn documented(link: &Link, kind: &str, code: &str) -> Map<String, Value> {
    let process = if code == "historical_update" {
        code
    } else {
        "recurrent_update"
    };
    let mut body = retrieved(link, Uuid::new_v4(), &Filter::all(Resource::transactions()));
    body.extend(fields([
        ("process_type", json!(process)),
        ("webhook_type", json!(kind)),
        ("webhook_code", json!(code)),
        ("data", data(link, kind, code)),
    ]));

    if kind == "CONSENT" {
        // Belvo's examples of consent webhooks have neither of these, and a null external id.
        body.remove("request_id");
        body.remove("process_type");
        body.insert("external_id".to_owned(), Value::Null);
    }
    body
}

/// What is declared about the rows. Documented for transactions; the other resources follow by
/// analogy.
fn totals(link: &Link, filter: &Filter) -> Value {
    if filter.resource.is_banking {
        return link.totals(filter);
    }
    let name = filter.resource.webhook_type.to_lowercase();
    json!({ format!("total_{name}"): link.rows(filter).count() })
}

fn data(link: &Link, kind: &str, code: &str) -> Value {
    match (kind, code) {
        ("TRANSACTIONS", "historical_update") => {
            link.totals(&Filter::all(Resource::transactions()))
        }
        ("TRANSACTIONS", "new_transactions_available") => json!({ "new_transactions": 1 }),
        ("ACCOUNTS", "historical_update") => json!({ "total_accounts": link.accounts.len() }),
        ("ACCOUNTS", "new_accounts_available") => json!({ "new_accounts": 1 }),
        ("LINK", "invalid_credentials") => json!({
            "error_code": "login_error",
            "error_message": "Invalid credentials provided to login to the institution",
            "status": 400,
        }),
        ("LINK", "token_required") => json!({
            "error_code": "token_required",
            "error_message": "A MFA token is required by the institution to login",
            "status": 428,
        }),
        ("CONSENT", _) => json!({
            "consent_id": "29a54e55-21f0-4d02-8e34-797ab7d43940",
            "action": "renew",
            "institution": link.object["institution"],
            "institution_display_name": "OF Mockbank",
            "institution_icon_logo": "https://logo.example/mockbank",
        }),
        _ => json!({}),
    }
}
