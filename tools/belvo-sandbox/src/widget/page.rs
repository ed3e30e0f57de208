//! The widget's pages. Whatever comes from a request is escaped before it goes into the markup.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value, json};

use super::words::Words;
use crate::session::{Person, Session};

const FRAME: &str = include_str!("frame.html");
const FORM: &str = include_str!("page.html");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'";
const POLICY_IN_FRAME: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'";
/// The banks to choose from: institution code and name.
pub(crate) const BANKS: [(&str, &str); 3] = [
    ("ofmockbank_br_retail", "OF Mockbank"),
    ("erebor_br_retail", "Banco Erebor"),
    ("gringotts_br_retail", "Banco Gringotes"),
];

/// The parameters of the widget, from its query or from its form.
pub(crate) struct Parameters {
    pub(crate) access_token: String,
    pub(crate) external_id: String,
    pub(crate) is_single: bool,
    /// The banks to offer. If none of them is known, all banks are offered.
    pub(crate) institutions: Vec<String>,
    pub(crate) words: Words,
    /// Whether the page is in a frame of the Web SDK, which needs messages instead of redirects.
    pub(crate) is_embedded: bool,
}

/// A page that says one thing.
pub(crate) struct Notice<'a> {
    pub(crate) status: StatusCode,
    /// Names of texts.
    pub(crate) heading: &'a str,
    pub(crate) text: &'a str,
    /// The address of a link back to the application, if the page has one.
    pub(crate) back: Option<&'a str>,
    /// What a page in a frame posts to its parent.
    pub(crate) message: Value,
}

/// What a page is filled with.
struct Content<'a> {
    heading: &'a str,
    /// Markup.
    body: String,
    message: &'a Value,
}

/// Whether this is the code of a bank to choose from.
pub(crate) fn is_bank(code: &str) -> bool {
    BANKS.iter().any(|(known, _)| *known == code)
}

/// The page on which the user consents. In update mode `bank` is the bank of the link.
pub(crate) fn form(parameters: &Parameters, session: &Session, bank: Option<&str>) -> Response {
    let words = parameters.words;
    let mode = if parameters.is_single {
        "single"
    } else {
        "recurrent"
    };
    let no_purpose = words.get("no_purpose");
    let purpose = session.purpose.as_deref().unwrap_or(no_purpose);
    let embedded = if parameters.is_embedded { "1" } else { "" };

    let values = [
        ("people", people(&session.people, words)),
        ("purpose_text", escape(purpose)),
        ("mode_text", words.get(mode).to_owned()),
        ("bank_choice", bank_choice(parameters, bank)),
        ("access_token", escape(&parameters.access_token)),
        ("external_id", escape(&parameters.external_id)),
        ("access_mode", mode.to_owned()),
        ("embedded", embedded.to_owned()),
    ];
    let loaded = json!({ "eventName": "PAGE_LOAD", "meta_data": {} });
    let content = Content {
        heading: words.get(if bank.is_some() { "update" } else { "title" }),
        body: fill(FORM, words, &values),
        message: &json!({ "type": "event", "data": loaded }),
    };
    page(StatusCode::OK, parameters, content)
}

pub(crate) fn notice(parameters: &Parameters, notice: &Notice<'_>) -> Response {
    let words = parameters.words;
    let back = notice.back.map(|url| {
        let (url, text) = (escape(url), words.get("back"));
        format!("\n<p><a id=\"back\" href=\"{url}\">{text}</a></p>")
    });
    let text = words.get(notice.text);
    let back = back.unwrap_or_default();
    let content = Content {
        heading: words.get(notice.heading),
        body: format!("<p role=\"status\">{text}</p>{back}"),
        message: &notice.message,
    };
    page(notice.status, parameters, content)
}

fn page(status: StatusCode, parameters: &Parameters, content: Content<'_>) -> Response {
    let (script, policy) = if parameters.is_embedded {
        (post_to_parent(content.message), POLICY_IN_FRAME)
    } else {
        (String::new(), POLICY)
    };
    let values = [
        ("heading", escape(content.heading)),
        ("body", content.body),
        ("script", script),
    ];
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        // The address contains the token.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let html = fill(FRAME, parameters.words, &values);
    (status, headers, Html(html)).into_response()
}

/// A script that posts a message to the page that contains the frame, whichever it is: its origin
/// is not known here. The message is not a secret, because a link id is useless without the keys.
fn post_to_parent(message: &Value) -> String {
    let message = script_text(message);
    format!("<script>parent.postMessage({message}, \"*\");</script>")
}

fn people(people: &[Person], words: Words) -> String {
    if people.is_empty() {
        return format!("<dd>{}</dd>", words.get("nobody"));
    }
    let line = |person: &Person| {
        let name = escape(&person.name);
        let (document, number) = (escape(&person.document), escape(&person.masked()));
        format!("<dd>{name}<br>{document} {number}</dd>")
    };
    people.iter().map(line).collect()
}

/// The bank of the link in update mode, otherwise a choice.
fn bank_choice(parameters: &Parameters, bank: Option<&str>) -> String {
    let label = parameters.words.get("bank");
    if let Some(code) = bank {
        let known = BANKS.iter().find(|(known, _)| *known == code);
        let name = escape(known.map_or(code, |(_, name)| name));
        let code = escape(code);
        return format!("<dl><dt>{label}</dt><dd>{name} ({code})</dd></dl>");
    }

    let requested = &parameters.institutions;
    let is_requested = |code: &str| requested.iter().any(|requested| requested == code);
    let any_known = BANKS.iter().any(|(code, _)| is_requested(code));
    let offered = BANKS
        .iter()
        .filter(|(code, _)| !any_known || is_requested(code));
    let options: Vec<String> = offered
        .map(|(code, name)| format!("<option value=\"{code}\">{name}</option>"))
        .collect();
    let options = options.concat();
    format!(
        "<label for=\"institution\">{label}</label>\n\
         <select id=\"institution\" name=\"institution\">{options}</select>"
    )
}

/// Replaces each `{{name}}` by its value, or by the text of that name in the user's language. What
/// is filled in is not searched for further names.
fn fill(template: &str, words: Words, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, name, after)) = next_name(rest) {
        filled.push_str(before);
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => filled.push_str(value),
            None if name == "lang" => filled.push_str(words.locale()),
            None => filled.push_str(words.get(name)),
        }
        rest = after;
    }
    filled + rest
}

/// Splits a template at its first `{{name}}`.
fn next_name(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// JSON that can stand in a script element without ending it.
fn script_text(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
