//! What an access token of the Connect Widget was minted for, and until when it opens the widget.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::errors::ApiError;

/// Belvo: a token is "valid for 10 minutes" and invalidated when a user connects.
const LIFETIME: Duration = Duration::from_mins(10);

/// The request that made one access token.
#[derive(Clone)]
pub(crate) struct Session {
    /// The link to be made valid again, in update mode.
    pub(crate) link: Option<String>,
    pub(crate) fetch_resources: Option<Vec<String>>,
    pub(crate) stale_in: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) people: Vec<Person>,
    pub(crate) success: Option<String>,
    pub(crate) exit: Option<String>,
    pub(crate) is_used: bool,
    made: Instant,
}

/// Somebody whose data is asked for.
#[derive(Clone)]
pub(crate) struct Person {
    /// `CPF` or `CNPJ`.
    pub(crate) document: String,
    pub(crate) number: String,
    pub(crate) name: String,
}

impl Session {
    /// Reads the body of a token request; whether the link exists is not known here.
    pub(crate) fn read(body: &Value, made: Instant) -> Result<Self, ApiError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (widget, consent) = (&body["widget"], &body["widget"]["consent"]);
        let people = consent["identification_info"]
            .as_array()
            .into_iter()
            .flatten();
        Ok(Self {
            link: text(&body["link_id"]).map(|link| link.to_lowercase()),
            fetch_resources: resources(&body["fetch_resources"])?,
            stale_in: text(&body["stale_in"]),
            // Belvo's guide has it in the widget, the specification in the consent.
            purpose: text(&consent["purpose"]).or_else(|| text(&widget["purpose"])),
            people: people.map(Person::read).collect(),
            success: callback(&widget["callback_urls"], "success")?,
            exit: callback(&widget["callback_urls"], "exit")?,
            is_used: false,
            made,
        })
    }

    /// Whether the token still opens the widget.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        !self.is_used && now.saturating_duration_since(self.made) < LIFETIME
    }
}

impl Person {
    fn read(value: &Value) -> Self {
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
        self.number
            .chars()
            .enumerate()
            .map(|(at, digit)| if at < hidden { '•' } else { digit })
            .collect()
    }
}

fn resources(value: &Value) -> Result<Option<Vec<String>>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::Array(names) => {
            let name = |name: &Value| name.as_str().map(str::to_owned);
            let names: Option<Vec<String>> = names.iter().map(name).collect();
            names
                .map(Some)
                .ok_or_else(|| ApiError::field("invalid_choice", "fetch_resources"))
        }
        _ => Err(ApiError::field("not_a_list", "fetch_resources")),
    }
}

/// An address to send the user back to. A web page or an app's own scheme, never something a
/// browser would run.
fn callback(urls: &Value, name: &str) -> Result<Option<String>, ApiError> {
    let Some(url) = urls[name].as_str() else {
        return Ok(None);
    };
    let scheme = url
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_address =
        scheme.is_some_and(|scheme| !["javascript", "data", "vbscript"].contains(&scheme.as_str()));
    if is_address && url.chars().all(|letter| letter.is_ascii_graphic()) {
        return Ok(Some(url.to_owned()));
    }
    Err(ApiError::field("invalid", "callback_urls"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(body: &Value) -> Option<Session> {
        Session::read(body, Instant::now()).ok()
    }

    #[test]
    fn a_token_opens_the_widget_for_ten_minutes() {
        let session = session(&json!({})).unwrap();
        assert!(session.is_open(session.made + Duration::from_secs(599)));
        assert!(!session.is_open(session.made + Duration::from_mins(10)));
    }

    #[test]
    fn only_the_last_two_digits_of_a_number_are_shown() {
        let person = |number: &str| Person::read(&json!({ "number": number })).masked();
        assert_eq!(
            (person("76109277673"), person("7"), person("")),
            ("•••••••••73".into(), "7".into(), String::new())
        );
    }

    #[test]
    fn a_callback_is_an_address_and_nothing_a_browser_runs() {
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
