//! The bodies of webhooks, as Belvo documents them, and plausible `data` where it does not.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{link::Link, resource::Resource, row::Filter};

/// The webhook that ends an asynchronous retrieval. The 202 gave the id as 32 hex digits; webhooks
/// print the same id with dashes, and so does this.
pub(crate) fn retrieved(link: &Link, request: Uuid, window: &Filter) -> Map<String, Value> {
    let mut body = Map::from_iter([
        (
            "webhook_id".to_owned(),
            json!(Uuid::new_v4().simple().to_string()),
        ),
        (
            "webhook_type".to_owned(),
            json!(window.resource.webhook_type),
        ),
        ("process_type".to_owned(), json!("historical_update")),
        ("webhook_code".to_owned(), json!("historical_update")),
        ("link_id".to_owned(), json!(link.id)),
        ("external_id".to_owned(), link.object["external_id"].clone()),
        ("data".to_owned(), totals(link, window)),
    ]);
    body.insert(
        "request_id".to_owned(),
        json!(request.hyphenated().to_string()),
    );
    body
}

/// Any webhook of a link: documented fields for its type and code, then `given` over them word for
/// word. A given `null` leaves the field out, except `external_id`, which Belvo sends as null.
pub(crate) fn event(link: &Link, given: &Map<String, Value>) -> Map<String, Value> {
    let text = |key: &str| given.get(key).and_then(Value::as_str);
    let kind = text("webhook_type").unwrap_or("TRANSACTIONS");
    let code = text("webhook_code").unwrap_or("historical_update");
    let mut body = retrieved(link, Uuid::new_v4(), &Filter::all(Resource::transactions()));
    let process = if code == "historical_update" {
        code
    } else {
        "recurrent_update"
    };
    body.insert("process_type".to_owned(), json!(process));
    body.insert("webhook_type".to_owned(), json!(kind));
    body.insert("webhook_code".to_owned(), json!(code));
    body.insert("data".to_owned(), data(link, kind, code));
    if kind == "CONSENT" {
        // Belvo's consent examples have neither, and a null external id.
        body.remove("request_id");
        body.remove("process_type");
        body.insert("external_id".to_owned(), Value::Null);
    }
    for (key, value) in given {
        if value.is_null() && key != "external_id" {
            body.remove(key);
        } else {
            body.insert(key.clone(), value.clone());
        }
    }
    body
}

/// What is declared: documented for transactions. That of other resources is a guess by analogy.
fn totals(link: &Link, window: &Filter) -> Value {
    if window.resource.is_banking {
        return link.totals(window);
    }
    json!({ format!("total_{}", window.resource.webhook_type.to_lowercase()): link.rows(window).count() })
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
