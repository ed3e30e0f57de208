//! Belvo's webhook body. It is unsigned, so it is a hint to fetch and never data: only the link,
//! what happened, and what it declares are read.

use std::{borrow::Cow, fmt};

use domain::{Consent, Declared, Failure, Fields, Hidden, LinkId, RequestId, Resource};
use serde_json::{Value, value::RawValue};
use thiserror::Error;

/// A webhook that says what happened and to which link.
#[derive(Clone, PartialEq)]
pub struct Webhook {
    pub subject: Subject,
    /// What happened, such as `historical_update`. An open vocabulary.
    pub code: String,
    pub link: LinkId,
    /// The retrieval it answers. Absent in CONSENT webhooks and in the oldest documented ones.
    pub request_id: Option<RequestId>,
    /// The text of its JSON object `data`; of an empty one if it has none.
    data: Box<str>,
}

/// Hides the data.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("subject", &self.subject)
            .field("code", &self.code)
            .field("link", &self.link)
            .field("request_id", &self.request_id)
            .field("data", &Hidden::of(&self.data))
            .finish()
    }
}

/// The longest type and code of a webhook. The longest that Belvo documents has 35 characters.
const LONGEST_NAME: usize = 100;

/// The code of a webhook that says that a link is gone (`DELETE /api/links/{id}/` in Belvo's
/// OpenAPI).
pub const LINK_DELETED: &str = "link_deleted";

/// What a webhook is about. An open vocabulary: Belvo adds types without notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Rows that this pipeline fetches.
    Rows(Resource),
    /// The accounts of the link.
    Accounts,
    /// The link itself.
    Link,
    /// The consent behind the link.
    Consent,
    /// Anything else, such as `OWNERS`: acknowledged and recorded.
    Other(String),
}

impl Subject {
    fn of(webhook_type: String) -> Self {
        match (
            webhook_type.as_str(),
            Resource::by_webhook_type(&webhook_type),
        ) {
            (_, Some(resource)) => Self::Rows(resource),
            ("ACCOUNTS", None) => Self::Accounts,
            ("LINK", None) => Self::Link,
            ("CONSENT", None) => Self::Consent,
            _ => Self::Other(webhook_type),
        }
    }

    /// Belvo's `webhook_type`.
    #[must_use]
    pub fn webhook_type(&self) -> &str {
        match self {
            Self::Rows(resource) => resource.webhook_type(),
            Self::Accounts => "ACCOUNTS",
            Self::Link => "LINK",
            Self::Consent => "CONSENT",
            Self::Other(webhook_type) => webhook_type,
        }
    }
}

/// Why a body is not a webhook; each reason names the field to correct.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookError {
    /// The body is not a JSON object.
    #[error("the body must be a JSON object: {0}")]
    NotJson(String),
    /// A field is missing or not text.
    #[error("{0} is required and must be a string")]
    Missing(&'static str),
    /// A field has a value that Belvo's webhooks never have.
    #[error("{0} {1}")]
    Invalid(&'static str, String),
}

impl WebhookError {
    /// The field to correct, if the fault is in one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotJson(_) => None,
            Self::Missing(field) | Self::Invalid(field, _) => Some(field),
        }
    }
}

impl Webhook {
    /// Reads a webhook body. Only the type, the code and the link are required: Belvo's documented
    /// examples leave out each of the other fields somewhere. A request id that cannot be a key
    /// counts as absent: the link is enough. A field that is not read may hold anything, such as
    /// text that is not Unicode.
    pub fn parse(body: &str) -> Result<Self, WebhookError> {
        let body: Fields<'_> = serde_json::from_str(body)
            .map_err(|error| WebhookError::NotJson(json_fault(&error)))?;
        let webhook_type = name(&body, "webhook_type")?;
        let code = name(&body, "webhook_code")?;
        let link = LinkId::parse(&required(&body, "link_id")?)
            .map_err(|error| WebhookError::Invalid("link_id", error.to_string()))?;
        let request_id = body
            .text("request_id")
            .and_then(|id| RequestId::parse(&id).ok());
        let data = body.get("data").map(RawValue::get);
        let data = data.filter(|data| Fields::of(data).is_some());
        let data = data.unwrap_or("{}").into();
        let subject = Subject::of(webhook_type);
        Ok(Self {
            subject,
            code,
            link,
            request_id,
            data,
        })
    }

    /// The totals that the webhook declares, if any. Their meaning is documented for transactions
    /// only.
    #[must_use]
    pub fn declared(&self) -> Option<Declared> {
        let Subject::Rows(resource) = self.subject else {
            return None;
        };
        if !resource.declares_totals() {
            return None;
        }
        let data = self.data();
        let number = |field| data.get(field)?.get().parse().ok();
        let declared = Declared {
            total_transactions: number("total_transactions"),
            total_inflow_transactions: number("total_inflow_transactions"),
            total_outflow_transactions: number("total_outflow_transactions"),
            first_transaction_date: self.text("first_transaction_date"),
            last_transaction_date: self.text("last_transaction_date"),
        };
        (declared != Declared::default()).then_some(declared)
    }

    /// What a `CONSENT` webhook says about the consent.
    #[must_use]
    pub fn consent(&self) -> Consent {
        Consent {
            id: self.text("consent_id"),
            due_date: self.text("consent_due_date"),
            ended_at: None,
        }
    }

    /// Why the retrieval failed, if it did. LINK webhooks carry `data.error_code` (documented);
    /// public code also models `data.errors[]` inside TRANSACTIONS webhooks (undocumented), so both
    /// are read.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let (code, message) = self.failure_in_words()?;
        let code = Failure::readable_code(&code);
        Some(Failure { code, message })
    }

    fn failure_in_words(&self) -> Option<(String, String)> {
        if let Some(code) = self.text("error_code") {
            return Some((code, self.text("error_message").unwrap_or_default()));
        }
        let errors: Vec<Value> = serde_json::from_str(self.data().get("errors")?.get()).ok()?;
        let first = errors.first()?;
        let text = |field| first[field].as_str().unwrap_or_default().to_owned();
        Some((text("code"), text("message")))
    }

    /// A text in `data`.
    fn text(&self, field: &str) -> Option<String> {
        Some(self.data().text(field)?.into_owned())
    }

    fn data(&self) -> Fields<'_> {
        Fields::of(&self.data).unwrap_or_default()
    }
}

/// The request id that a body mentions, even if the body is not JSON: a 400 answer repeats it, as
/// Belvo asks.
#[must_use]
pub fn mentioned_request_id(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let value = top_level(&text, "request_id")?;
    RequestId::parse(value).ok().map(|_| value.to_owned())
}

/// The text of a field of the outermost object in JSON that may be cut off or broken: a field of
/// the same name further inside is about something else.
fn top_level<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (mut depth, mut at) = (0, 0);
    while let Some(next) = text[at..].find(['{', '[', '}', ']', '"']) {
        let (start, end) = (at + next, string_end(text, at + next));
        match text.as_bytes()[start] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ if depth == 1 && text.get(start + 1..end) == Some(name) => {
                let value = text.get(end + 1..)?.trim_start().strip_prefix(':');
                let value = value.map(str::trim_start).unwrap_or_default();
                if value.starts_with('"') {
                    return value.get(1..string_end(value, 0));
                }
            }
            _ => {}
        }
        at = end + 1;
        if at >= text.len() {
            break;
        }
    }
    None
}

/// Where the string that begins at `start` ends; `start` itself if none does.
fn string_end(text: &str, start: usize) -> usize {
    if text.as_bytes().get(start) != Some(&b'"') {
        return start;
    }
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            b'"' if !is_escaped => return at,
            b'\\' if !is_escaped => is_escaped = true,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// A required text that is kept as it came: in records, and in the log.
fn name(body: &Fields<'_>, field: &'static str) -> Result<String, WebhookError> {
    let name = required(body, field)?;
    if name.chars().count() > LONGEST_NAME {
        let reason = format!("must be at most {LONGEST_NAME} characters long");
        return Err(WebhookError::Invalid(field, reason));
    }
    Ok(name)
}

fn required(body: &Fields<'_>, field: &'static str) -> Result<String, WebhookError> {
    let text = body.text(field).filter(|text| !text.is_empty());
    text.map(Cow::into_owned)
        .ok_or(WebhookError::Missing(field))
}

/// Where the JSON is broken, without quoting it, as serde's own message does.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "syntax error",
        _ => "not an object of the documented shape",
    };
    format!("{kind} at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINK: &str = "16f68516-bcbc-4cf7-b815-c500d4204e28";

    fn parse(body: &Value) -> Result<Webhook, WebhookError> {
        Webhook::parse(&body.to_string())
    }

    #[test]
    fn the_documented_transactions_webhook_is_read() {
        let webhook = parse(&json!({
            "webhook_id": "aadf41a1fc8e4f79a49f7f04027ac999",
            "webhook_type": "TRANSACTIONS", "process_type": "historical_update", "webhook_code": "historical_update",
            "link_id": LINK, "request_id": "4363b08b-51eb-4350-9c74-5df5ac92a7f6", "external_id": "your_external_id",
            "data": {"total_transactions": 19, "total_inflow_transactions": 10, "total_outflow_transactions": 9,
                     "first_transaction_date": "2023-01-03", "last_transaction_date": "2024-01-03"}
        }))
        .unwrap();
        assert_eq!(webhook.subject, Subject::Rows(Resource::TRANSACTIONS));
        assert_eq!(
            webhook.request_id.as_ref().unwrap().as_str(),
            "4363b08b51eb43509c745df5ac92a7f6"
        );
        assert_eq!(webhook.declared().unwrap().total_transactions, Some(19));
        assert_eq!(webhook.failure(), None);
    }

    #[test]
    fn text_that_is_not_unicode_is_no_reason_to_refuse_a_webhook() {
        let body = format!(
            r#"{{"webhook_type": "TRANSACTIONS", "webhook_code": "historical_update", "link_id": "{LINK}",
                "external_id": "\ud83d", "data": {{"total_transactions": 7, "note": "\ud83d"}}}}"#
        );
        let webhook = Webhook::parse(&body).unwrap();
        assert_eq!(webhook.declared().unwrap().total_transactions, Some(7));
        assert_eq!(webhook.failure(), None);
    }

    #[test]
    fn type_code_and_link_are_enough() {
        let webhook =
            parse(&json!({"webhook_type": "PAYROLL", "webhook_code": "made_up", "link_id": LINK, "data": null}))
                .unwrap();
        assert_eq!(webhook.subject, Subject::Other("PAYROLL".to_owned()));
        assert_eq!(
            (webhook.request_id.clone(), webhook.declared()),
            (None, None)
        );
    }

    #[test]
    fn a_missing_or_wrong_field_is_named() {
        let field = |body| parse(&body).unwrap_err().field();
        assert_eq!(
            field(json!({"webhook_code": "c", "link_id": LINK})),
            Some("webhook_type")
        );
        assert_eq!(
            field(json!({"webhook_type": "T", "webhook_code": 7, "link_id": LINK})),
            Some("webhook_code")
        );
        let longest = "c".repeat(LONGEST_NAME);
        let body = json!({"webhook_type": "T", "webhook_code": longest, "link_id": LINK});
        assert!(parse(&body).is_ok());
        assert_eq!(
            field(json!({"webhook_type": "T", "webhook_code": longest + "c", "link_id": LINK})),
            Some("webhook_code")
        );
        assert_eq!(
            field(json!({"webhook_type": "T", "webhook_code": "c", "link_id": "1"})),
            Some("link_id")
        );
        assert_eq!(
            Webhook::parse("{\"link_id\": \"secret")
                .unwrap_err()
                .field(),
            None
        );
        assert_eq!(Webhook::parse("[\"T\", \"c\"]").unwrap_err().field(), None);
    }

    #[test]
    fn an_error_says_where_the_json_is_broken_but_does_not_quote_it() {
        let error = Webhook::parse("{\"link_id\": secret-value}")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn totals_are_read_for_transactions_only() {
        let declared = |webhook_type| {
            let data = json!({"total_transactions": 2});
            parse(&json!({"webhook_type": webhook_type, "webhook_code": "c", "link_id": LINK, "data": data}))
                .unwrap()
                .declared()
        };
        assert!(declared("TRANSACTIONS").is_some());
        assert_eq!((declared("INVOICES"), declared("ACCOUNTS")), (None, None));
    }

    #[test]
    fn an_unusable_request_id_does_not_lose_the_webhook() {
        let body = json!({"webhook_type": "TRANSACTIONS", "webhook_code": "c", "link_id": LINK, "request_id": "a b"});
        assert_eq!(parse(&body).unwrap().request_id, None);
    }

    #[test]
    fn a_text_in_the_place_of_a_code_is_not_repeated() {
        let words = "O CPF 529.982.247-25 nao existe";
        for data in [
            json!({"error_code": words}),
            json!({"errors": [{"code": words}]}),
            json!({"error_code": "c".repeat(65)}),
        ] {
            let body = json!({
                "webhook_type": "TRANSACTIONS", "webhook_code": "c", "link_id": LINK, "data": data,
            });
            assert_eq!(parse(&body).unwrap().failure().unwrap().code, "unreadable");
        }
    }

    #[test]
    fn both_shapes_of_a_failed_retrieval_are_understood() {
        let failure = |data| {
            let body = json!({"webhook_type": "TRANSACTIONS", "webhook_code": "c", "link_id": LINK, "data": data});
            parse(&body).unwrap().failure()
        };
        let login_error = Some(Failure {
            code: "login_error".to_owned(),
            message: "Invalid".to_owned(),
        });
        assert_eq!(
            failure(
                json!({"error_code": "login_error", "error_message": "Invalid", "status": 400})
            ),
            login_error
        );
        assert_eq!(
            failure(json!({"errors": [{"code": "login_error", "message": "Invalid"}]})),
            login_error
        );
        assert_eq!(failure(json!({"errors": []})), None);
    }

    #[test]
    fn a_request_id_is_found_in_a_broken_body() {
        let found = |body: &str| mentioned_request_id(body.as_bytes());
        let whole = r#"{"request_id" : "4363B08B-51EB-4350-9C74-5DF5AC92A7F6", "data": {"#;
        assert_eq!(
            found(whole),
            Some("4363B08B-51EB-4350-9C74-5DF5AC92A7F6".to_owned()),
            "as Belvo spells it"
        );
        assert_eq!(found(r#"{"request_id": "cut-o"#), Some("cut-o".to_owned()));
        let inner = r#"{"data": {"request_id": "inner", "a": ["request_id"]}, "x": "\"}{", "#;
        assert_eq!(found(inner), None);
        let value = r#"{"webhook_code": "request_id", "request_id": "X", broken"#;
        assert_eq!(found(value), Some("X".to_owned()));
        let outer = format!(r#"{inner}"request_id": "outer", broken"#);
        assert_eq!(found(&outer), Some("outer".to_owned()));
        for broken in [
            "\"",
            "{\"request_id\"",
            "{\"request_id\":",
            "}}}\"request_id\":\"a\"",
            "é\"{\"é",
        ] {
            assert_eq!(found(broken), None, "{broken}");
        }
        assert_eq!(found(r#"{"request_id": 5}"#), None);
        assert_eq!(found("{"), None);
    }
}
