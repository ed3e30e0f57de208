//! The widget's pages. Whatever comes from a request goes into the markup escaped.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;

use super::words::Words;
use crate::session::{Person, Session};

const FRAME: &str = include_str!("frame.html");
const FORM: &str = include_str!("page.html");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'";
const POLICY_IN_FRAME: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'";
/// The banks one can choose from: institution code and name.
const BANKS: [(&str, &str); 3] = [
    ("ofmockbank_br_retail", "OF Mockbank"),
    ("erebor_br_retail", "Banco Erebor"),
    ("gringotts_br_retail", "Banco Gringotes"),
];

/// What the caller of the widget asks for, in its query or in the form.
pub(crate) struct Asked {
    pub(crate) access_token: String,
    pub(crate) external_id: String,
    pub(crate) is_single: bool,
    /// The banks to offer; all of them if none of these is known.
    pub(crate) institutions: Vec<String>,
    pub(crate) words: Words,
    /// Shown inside a frame of the Web SDK, which wants messages and no redirects.
    pub(crate) is_embedded: bool,
}

/// Whether this is the code of a bank one can choose.
pub(crate) fn is_bank(code: &str) -> bool {
    BANKS.iter().any(|(known, _)| *known == code)
}

/// The page that asks for consent; `bank` is the one of the link in update mode.
pub(crate) fn form(asked: &Asked, session: &Session, bank: Option<&str>) -> Response {
    let words = asked.words;
    let mode = if asked.is_single {
        "single"
    } else {
        "recurrent"
    };
    let purpose = session
        .purpose
        .as_deref()
        .unwrap_or_else(|| words.get("no_purpose"));
    let values = [
        ("people", people(&session.people, words)),
        ("purpose_text", escape(purpose)),
        ("mode_text", words.get(mode).to_owned()),
        ("bank_choice", banks(asked, bank)),
        ("access_token", escape(&asked.access_token)),
        ("external_id", escape(&asked.external_id)),
        ("access_mode", mode.to_owned()),
        (
            "embedded",
            if asked.is_embedded { "1" } else { "" }.to_owned(),
        ),
    ];
    let heading = words.get(if bank.is_some() { "update" } else { "title" });
    let loaded = serde_json::json!({ "type": "event", "data": { "eventName": "PAGE_LOAD", "meta_data": {} } });
    page(
        StatusCode::OK,
        asked,
        heading,
        &fill(FORM, words, &values),
        &loaded,
    )
}

/// A page that says one thing, with a way back if there is one; a frame also posts `message` to its
/// parent.
pub(crate) fn notice(
    status: StatusCode,
    asked: &Asked,
    (heading, text): (&str, &str),
    back: Option<&str>,
    message: &Value,
) -> Response {
    let words = asked.words;
    let way = |url: &str| {
        format!(
            "\n<p><a id=\"back\" href=\"{}\">{}</a></p>",
            escape(url),
            words.get("back")
        )
    };
    let body = format!(
        "<p role=\"status\">{}</p>{}",
        words.get(text),
        back.map(way).unwrap_or_default()
    );
    page(status, asked, words.get(heading), &body, message)
}

fn page(status: StatusCode, asked: &Asked, heading: &str, body: &str, message: &Value) -> Response {
    // The parent's origin is not known here. The message opens nothing: a link id is of use only
    // with the keys.
    let script = format!(
        "<script>parent.postMessage({}, \"*\");</script>",
        script_text(message)
    );
    let values = [
        ("heading", escape(heading)),
        ("body", body.to_owned()),
        (
            "script",
            if asked.is_embedded {
                script
            } else {
                String::new()
            },
        ),
    ];
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            if asked.is_embedded {
                POLICY_IN_FRAME
            } else {
                POLICY
            },
        ),
        // The address holds the token.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(fill(FRAME, asked.words, &values))).into_response()
}

fn people(people: &[Person], words: Words) -> String {
    if people.is_empty() {
        return format!("<dd>{}</dd>", words.get("nobody"));
    }
    let line = |person: &Person| {
        let (name, document, number) = (
            escape(&person.name),
            escape(&person.document),
            escape(&person.masked()),
        );
        format!("<dd>{name}<br>{document} {number}</dd>")
    };
    people.iter().map(line).collect()
}

fn banks(asked: &Asked, bank: Option<&str>) -> String {
    let label = asked.words.get("bank");
    if let Some(code) = bank {
        let name = BANKS
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(code, |(_, name)| name);
        return format!(
            "<dl><dt>{label}</dt><dd>{} ({})</dd></dl>",
            escape(name),
            escape(code)
        );
    }
    let is_asked = |code: &str| asked.institutions.iter().any(|asked| asked == code);
    let any = BANKS.iter().any(|(code, _)| is_asked(code));
    let offered = BANKS.iter().filter(|(code, _)| !any || is_asked(code));
    let option = |(code, name): &(&str, &str)| format!("<option value=\"{code}\">{name}</option>");
    let options: String = offered.map(option).collect();
    format!(
        "<label for=\"institution\">{label}</label>\n<select id=\"institution\" name=\"institution\">{options}</select>"
    )
}

/// Puts the values, and the texts of the language for all other names, into `{{name}}`. What is put
/// in is not looked at again.
fn fill(template: &str, words: Words, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
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

/// JSON that can stand in a script element: nothing in it ends the element.
fn script_text(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
