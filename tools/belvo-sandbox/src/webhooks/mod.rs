//! Webhooks: what they say ([`envelope`]), and what the rules make of them ([`plan`]).

pub(crate) mod envelope;

use serde_json::{Map, Value, json};

use crate::{
    config::Config,
    rules::{Action, Effect, On, Rules},
};

/// A webhook that is ready to be sent.
pub(crate) struct Planned {
    pub(crate) link: String,
    pub(crate) text: String,
    pub(crate) delay_ms: u64,
    /// How often these bytes are delivered, normally once.
    pub(crate) copies: u32,
    pub(crate) wrong_authorization: bool,
    /// The call that causes the webhook is answered only after the first attempt.
    pub(crate) early: bool,
    /// Held until the next webhook of the link has been sent.
    pub(crate) hold: bool,
}

/// Applies the rules to a webhook; `None` if one of them drops it.
pub(crate) fn plan(
    rules: &mut Rules,
    config: &Config,
    link: &str,
    mut body: Map<String, Value>,
) -> Option<Planned> {
    let effects = rules.fire(On::Webhook, Some(link), 0);
    for effect in &effects {
        change_body(&mut body, &effect.action);
    }

    let mut planned = Planned {
        link: link.to_owned(),
        text: Value::Object(body).to_string(),
        delay_ms: config.webhook_delay_ms,
        copies: 1,
        wrong_authorization: false,
        early: false,
        hold: false,
    };
    for effect in &effects {
        planned = change_sending(planned, effect)?;
    }
    Some(planned)
}

fn change_body(body: &mut Map<String, Value>, action: &Action) {
    match action {
        Action::Code(code) => {
            body.insert("webhook_code".to_owned(), json!(code));
        }
        Action::DataErrors { code, message } => {
            let errors = json!({ "errors": [{ "code": code, "message": message }] });
            body.insert("data".to_owned(), errors);
        }
        Action::ExtraBytes(count) => {
            body.insert("padding".to_owned(), json!("x".repeat(*count)));
        }
        Action::WithoutRequestId(_) => {
            body.remove("request_id");
        }
        _ => {}
    }
}

fn change_sending(mut planned: Planned, effect: &Effect) -> Option<Planned> {
    match &effect.action {
        Action::Drop(_) => return None,
        Action::DelayMs(more) => planned.delay_ms += more,
        Action::Duplicate(more) => planned.copies += more,
        Action::WrongAuthorization(_) => planned.wrong_authorization = true,
        Action::HoldUntilNext(_) => planned.hold = true,
        Action::Early(_) => {
            planned.early = true;
            planned.delay_ms = 0;
        }
        // Without its closing brace the body is not JSON, but it still has all its fields.
        Action::Malformed(_) => drop(planned.text.pop()),
        _ => {}
    }
    Some(planned)
}
