//! An answer of Belvo's that is an error, or of whatever stands between Belvo and us.

use std::time::Duration;

use lambda_http::http::StatusCode;
use serde_json::{Map, Value};
use shared::{advice::Advice, belvo::BelvoError};

/// Whether the body is of the firewall, which answers in HTML.
const HTML: &[u8] = b"html";

/// An answer: its status, its `Retry-After` and whether it is HTML in the first line, such as
/// `429 30 html`, and the body behind it.
pub(crate) fn check(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (line, body) = (lines.next(), lines.next().unwrap_or_default());
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    let number = |word: Option<&[u8]>| std::str::from_utf8(word?).ok()?.parse().ok();
    let status = number(words.next()).and_then(|status| u16::try_from(status).ok());
    let retry_after = number(words.next()).map(Duration::from_secs);
    let is_html = words.next() == Some(HTML);
    // All others are no errors.
    let Some(status) = status.filter(|status| (400..1_000).contains(status)) else {
        return;
    };

    let code = StatusCode::from_u16(status).expect("a status");
    let error = BelvoError::from_answer(code, retry_after, is_html, body);
    assert_eq!(status_of(&error), status);
    assert_classified(&error, retry_after);
    assert_bounded(&error);
    if let Some(entry) = entry(body) {
        assert_of_entry(&error, &entry, is_html);
    }
}

fn status_of(error: &BelvoError) -> u16 {
    match error {
        BelvoError::Later { status, .. }
        | BelvoError::Rejected { status, .. }
        | BelvoError::NeedsOperator { status, .. } => *status,
        other => panic!("no answer is {other:?}"),
    }
}

fn code_of(error: &BelvoError) -> &str {
    match error {
        BelvoError::Later { code, .. }
        | BelvoError::Rejected { code, .. }
        | BelvoError::NeedsOperator { code, .. } => code,
        other => panic!("no answer is {other:?}"),
    }
}

/// What follows from the status alone, whatever the body is (docs/ERRORS.md).
fn assert_classified(error: &BelvoError, retry_after: Option<Duration>) {
    let (status, code, advice) = (status_of(error), code_of(error), error.advice());
    let is_retried = matches!(advice, Advice::Retry(_));
    match status {
        401 if code == "consent_without_accounts" => assert_eq!(advice, Advice::Stop),
        401 if code != "html" => assert_eq!(advice, Advice::Alarm),
        408 | 429 | 500..600 => assert!(is_retried, "{error}"),
        600.. => assert_eq!(advice, Advice::Stop),
        _ => {}
    }
    assert_eq!(
        error.is_ambiguous(),
        is_retried && (status == 408 || status >= 500)
    );
    if let BelvoError::Later { after, .. } = error {
        assert_eq!(retry_after.unwrap_or(*after), *after);
        assert!(!after.is_zero() || retry_after.is_some());
    }
}

/// A code is one, however long the text is in its place.
fn assert_bounded(error: &BelvoError) {
    let code = code_of(error);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    assert!(
        (1..=64).contains(&code.len()) && code.chars().all(is_plain),
        "{code}"
    );
    assert!(error.to_string().len() < 200, "{error}");
}

fn assert_of_entry(error: &BelvoError, entry: &Map<String, Value>, is_html: bool) {
    let text = |name| entry.get(name).and_then(Value::as_str);
    let named = if is_html { Some("html") } else { text("code") };
    let code = code_of(error);
    assert!(
        [named.unwrap_or("none"), "unreadable"].contains(&code),
        "{code}"
    );
    let BelvoError::Rejected {
        message,
        field,
        belvo_request_id,
        ..
    } = error
    else {
        return;
    };
    assert_eq!(message.as_str(), text("message").unwrap_or_default());
    assert_eq!(field.as_deref(), text("field"));
    assert_eq!(belvo_request_id.as_deref(), text("request_id"));
    // Belvo's words may repeat what a person entered.
    let shown = [format!("{error:?}"), error.to_string()].concat();
    let others = [text("code"), text("field"), text("request_id")];
    let is_elsewhere = |message: &str| {
        let mut others = others.iter().flatten();
        others.any(|other| other.contains(message)) || !message.contains(' ')
    };
    let message = message.as_str();
    let is_shown = message.len() > 30 && shown.contains(message);
    assert!(!is_shown || is_elsewhere(message), "{shown}");
}

/// The entry of a body that has one and is plain: without escapes, and with each name once.
fn entry(body: &[u8]) -> Option<Map<String, Value>> {
    let names = ["code", "message", "field", "request_id"];
    let text = std::str::from_utf8(body).ok()?;
    let is_once = |name: &&str| text.matches(&format!("\"{name}\"")).count() < 2;
    if text.contains('\\') || !names.iter().all(is_once) {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Value::Object(entry) => Some(entry),
        Value::Array(entries) if entries.iter().all(Value::is_object) => {
            let first = entries.into_iter().next()?;
            first.as_object().cloned()
        }
        _ => None,
    }
}
