//! What an access token of the Connect Widget allows, and until when it opens the widget.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::errors::ApiError;

/// Belvo: a token is "valid for 10 minutes" and invalidated when a user connects.
const LIFETIME: Duration = Duration::from_mins(10);

/// The request that created one access token.
#[derive(Clone)]
pub(crate) struct Session {
    /// The link to make valid again, in update mode.
    pub(crate) link: Option<String>,
    pub(crate) fetch_resources: Option<Vec<String>>,
    pub(crate) stale_in: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) people: Vec<Person>,
    /// Where the user is sent after connecting.
    pub(crate) success: Option<String>,
    /// Where the user is sent after leaving the widget without connecting.
    pub(crate) exit: Option<String>,
    pub(crate) is_used: bool,
    created: Instant,
}

/// A person or company whose data is requested.
#[derive(Clone)]
pub(crate) struct Person {
    /// `CPF` or `CNPJ`.
    pub(crate) document: String,
    pub(crate) number: String,
    pub(crate) name: String,
}

impl Session {
    /// Parses the body of a token request. Whether the link exists is up to the caller.
    pub(crate) fn parse(body: &Value, created: Instant) -> Result<Self, ApiError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let widget = &body["widget"];
        let consent = &widget["consent"];
        let people = consent["identification_info"].as_array();

        Ok(Self {
            link: text(&body["link_id"]).map(|link| link.to_lowercase()),
            fetch_resources: resources(&body["fetch_resources"])?,
            stale_in: text(&body["stale_in"]),
            // Belvo's guide has it in the widget, the specification in the consent.
            purpose: text(&consent["purpose"]).or_else(|| text(&widget["purpose"])),
            people: people.into_iter().flatten().map(Person::parse).collect(),
            success: callback(&widget["callback_urls"], "success")?,
            exit: callback(&widget["callback_urls"], "exit")?,
            is_used: false,
            created,
        })
    }

    /// Whether the token still opens the widget.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        !self.is_used && now.saturating_duration_since(self.created) < LIFETIME
    }
}

impl Person {
    fn parse(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Self {
            document: text("type"),
            number: text("number"),
            name: text("name"),
        }
    }

    /// The number with all but its last two digits hidden.
    pub(crate) fn masked(&self) -> String {
        let hidden = self.number.chars().count().saturating_sub(2);
        let digits = self.number.chars().enumerate();
        digits
            .map(|(at, digit)| if at < hidden { '•' } else { digit })
            .collect()
    }
}

fn resources(value: &Value) -> Result<Option<Vec<String>>, ApiError> {
    let names = match value {
        Value::Null => return Ok(None),
        Value::Array(names) => names.iter(),
        _ => return Err(ApiError::field("not_a_list", "fetch_resources")),
    };
    let names: Option<Vec<String>> = names.map(|name| name.as_str().map(str::to_owned)).collect();
    match names {
        Some(names) => Ok(Some(names)),
        None => Err(ApiError::field("invalid_choice", "fetch_resources")),
    }
}

/// An address to send the user back to: a web page or an app's own scheme, but nothing that a
/// browser would execute.
fn callback(urls: &Value, name: &str) -> Result<Option<String>, ApiError> {
    let Some(url) = urls[name].as_str() else {
        return Ok(None);
    };

    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let is_safe = scheme.is_some_and(|scheme| {
        let scheme = scheme.to_ascii_lowercase();
        !["javascript", "data", "vbscript"].contains(&scheme.as_str())
    });
    if is_safe && url.chars().all(|letter| letter.is_ascii_graphic()) {
        return Ok(Some(url.to_owned()));
    }
    Err(ApiError::field("invalid", "callback_urls"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(body: &Value) -> Option<Session> {
        Session::parse(body, Instant::now()).ok()
    }

    #[test]
    fn a_token_opens_the_widget_for_ten_minutes() {
        let session = session(&json!({})).unwrap();

        assert!(session.is_open(session.created + Duration::from_secs(599)));
        assert!(!session.is_open(session.created + Duration::from_mins(10)));
    }

    #[test]
    fn only_the_last_two_digits_of_a_number_are_shown() {
        let masked = |number: &str| Person::parse(&json!({ "number": number })).masked();

        assert_eq!(masked("76109277673"), "•••••••••73");
        assert_eq!(masked("7"), "7");
        assert_eq!(masked(""), "");
    }

    #[test]
    fn a_callback_is_an_address_and_nothing_a_browser_would_execute() {
        let with = |url: &str| session(&json!({ "widget": { "callback_urls": { "exit": url } } }));

        for url in [
            "your_deeplink_here://exit",
            "http://localhost:3000/exit?a=1#b",
        ] {
            assert_eq!(with(url).unwrap().exit.as_deref(), Some(url));
        }
        for url in [
            "JavaScript:alert(1)",
            "data:text/html,x",
            "/exit",
            "http://a/\r\nset-cookie: a=b",
        ] {
            assert!(with(url).is_none(), "{url}");
        }
    }
}
