//! `POST /connect/token`: sends a user through Belvo's Connect Widget, to create a link or to
//! repair one.

use domain::LinkId;
use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use serde_json::json;
use shared::{
    belvo::{Callbacks, Identification, NewLink, TOKEN_LIFE_S, WidgetMode, WidgetRequest},
    http,
    problem::Problem,
    secret::ExposeSecret,
    telemetry::{ALWAYS, Event},
};
use url::Url;

use crate::{
    App,
    fields::{Fields, link_id},
    problems,
    unregistered::{Unregistered, known_or_allowed},
};

const SHAPE: &str = "The body must be a JSON object such as \
    {\"identification\": {\"type\": \"CPF\", \"number\": \"76109277673\", \
    \"name\": \"Ralph Bragg\"}, \"callback_urls\": {\"success\": \"app://success\", \
    \"exit\": \"app://exit\", \"event\": \"app://event\"}}, or one with the link to repair: \
    {\"link\": \"bcca0da9-a4c6-4830-9676-1d54682851d9\", \"callback_urls\": {...}}.";
/// The maximum length of `purpose` in characters ("maxLength" in Belvo's OpenAPI; Belvo's guide
/// says 600).
const LONGEST_PURPOSE: usize = 140;
/// The maximum length of a callback address.
const LONGEST_URL: usize = 2_048;
/// What is asked of an address beside its scheme, as of any URI (RFC 3986). A name with other
/// characters is written in Punycode.
const ASCII_HOST: &str = "with a host name in ASCII";
/// Schemes with an authority that a browser or Android resolves by itself.
const OF_BROWSERS: [&str; 9] = [
    "chrome",
    "content",
    "file",
    "ftp",
    "intent",
    "javascript",
    "vbscript",
    "ws",
    "wss",
];

/// Mints a token and answers 201 with the address to send the user's browser to. The token opens
/// the widget once, within ten minutes. It costs nothing at Belvo, so the call is safe to repeat.
pub(crate) async fn mint(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let Asked {
        widget: asked,
        unregistered,
    } = parse(request.body().as_ref())?;
    if let WidgetMode::Update(link) = &asked.mode {
        known_or_allowed(app, link, unregistered).await?;
    }
    let token = app.belvo.widget_token(&asked, &app.widget).await;
    let token = token.map_err(|error| problems::of_call(&error))?;

    let (external_id, link) = match &asked.mode {
        WidgetMode::Create(new_link) => (Some(new_link.external_id.as_str()), None),
        WidgetMode::Update(link) => (None, Some(link)),
    };
    tracing::info!(
        target: ALWAYS,
        event = Event::WidgetTokenMinted.name(),
        link.id = link.map(LinkId::as_str),
        "widget token minted"
    );

    let answer = json!({
        "widget_url": asked.address(&app.widget_url, &token).as_str(),
        "access_token": token.access.expose_secret(),
        "expires_in_s": TOKEN_LIFE_S,
        "external_id": external_id,
        "link": link,
    });
    Ok(http::json(StatusCode::CREATED, &answer))
}

/// What a caller asks for. Only in update mode does a link have to be registered here.
struct Asked {
    widget: WidgetRequest,
    unregistered: Unregistered,
}

fn parse(body: &[u8]) -> Result<Asked, Problem> {
    let mut fields = Fields::parse(body, SHAPE)?;
    let callbacks = callbacks(fields.object("callback_urls")?)?;
    let locale = fields.one_of("locale", &["pt", "en", "es"])?;
    let mut unregistered = Unregistered::Refused;
    let mode = if fields.has("link") {
        let mode = WidgetMode::Update(link_id(&fields.required("link")?)?);
        unregistered = Unregistered::of_body(&mut fields)?;
        fields.end("link, callback_urls, locale and unregistered in update mode")?;
        mode
    } else {
        let new_link = new_link(&mut fields)?;
        fields.end(
            "external_id, identification, locale, purpose, terms_and_conditions_url, \
             access_mode, callback_urls and link",
        )?;
        WidgetMode::Create(Box::new(new_link))
    };
    let widget = WidgetRequest {
        mode,
        callbacks,
        locale,
    };
    Ok(Asked {
        widget,
        unregistered,
    })
}

fn new_link(fields: &mut Fields) -> Result<NewLink, Problem> {
    Ok(NewLink {
        external_id: match fields.optional("external_id")? {
            Some(id) => external_id(id)?,
            None => uuid::Uuid::new_v4().to_string(),
        },
        purpose: purpose(fields)?,
        terms_and_conditions_url: terms_and_conditions_url(fields)?,
        identification: identification(fields.object("identification")?)?,
        access_mode: fields.one_of("access_mode", &["recurrent", "single"])?,
    })
}

fn purpose(fields: &mut Fields) -> Result<Option<String>, Problem> {
    let purpose = fields.optional("purpose")?;
    let is_too_long = |purpose: &String| purpose.chars().count() > LONGEST_PURPOSE;
    if purpose.as_ref().is_some_and(is_too_long) {
        let detail = format!("purpose must be at most {LONGEST_PURPOSE} characters long");
        return Err(Problem::field("purpose", detail));
    }
    Ok(purpose)
}

fn terms_and_conditions_url(fields: &mut Fields) -> Result<Option<String>, Problem> {
    const NAME: &str = "terms_and_conditions_url";
    let address = fields.optional(NAME)?;
    let is_https = |address: &String| {
        address.starts_with("https://") && is_uri(address) && Url::parse(address).is_ok()
    };
    if address.as_ref().is_none_or(is_https) {
        Ok(address)
    } else {
        let detail = format!("{NAME} must be an https:// address, {ASCII_HOST}");
        Err(Problem::field(NAME, detail))
    }
}

/// Belvo's rule: 3 to 256 letters, digits, `-` and `_` (`external_id` in Belvo's OpenAPI), which
/// keeps names and addresses out.
pub(crate) fn external_id(id: String) -> Result<String, Problem> {
    let plain = id
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if plain && (3..=256).contains(&id.len()) {
        Ok(id)
    } else {
        Err(Problem::field(
            "external_id",
            "external_id must be 3 to 256 letters, digits, - and _",
        ))
    }
}

/// A refusal names the field and never repeats its value.
fn identification(mut fields: Fields) -> Result<Identification, Problem> {
    let kind = fields.one_of("type", &["CPF", "CNPJ"])?;
    let number = fields.required("number")?;
    let name = fields.required("name")?;
    fields.end("type, number and name")?;
    // A CNPJ may have letters from July 2026 on (Receita Federal, "CNPJ alfanumérico").
    let (length, alphabet, must): (_, fn(&u8) -> bool, _) = match kind.as_str() {
        "CPF" => (11, u8::is_ascii_digit, "11 digits"),
        _ => (14, u8::is_ascii_alphanumeric, "14 digits or letters"),
    };
    if number.len() != length || !number.as_bytes().iter().all(alphabet) {
        let detail = format!("the number of a {kind} must have {must}");
        return Err(Problem::field("identification.number", detail));
    }
    if name.trim().is_empty() {
        let detail = "identification.name is missing";
        return Err(Problem::field("identification.name", detail));
    }
    Ok(Identification {
        kind,
        number: number.into(),
        name: name.into(),
    })
}

fn callbacks(mut fields: Fields) -> Result<Callbacks, Problem> {
    let mut url = |name: &str| {
        let text = fields.required(name)?;
        let leads_somewhere = Url::parse(&text).is_ok_and(|url| is_page_or_app(&url));
        if leads_somewhere && is_uri(&text) && text.len() <= LONGEST_URL {
            Ok(text)
        } else {
            let field = format!("callback_urls.{name}");
            let detail = format!(
                "{field} must be an https:// address, {ASCII_HOST}, or a deep link of your app \
                 such as app://success"
            );
            Err(Problem::field(&field, detail))
        }
    };
    let callbacks = Callbacks {
        success: url("success")?,
        exit: url("exit")?,
        event: url("event")?,
    };
    fields.end("success, exit and event")?;
    Ok(callbacks)
}

/// Whether an address that a browser understands is one as it was sent, too: with slashes, and none
/// of the characters that a browser would have to escape (RFC 3986). It is passed on unchanged.
fn is_uri(address: &str) -> bool {
    let Some((_, rest)) = address.split_once("://") else {
        return false;
    };
    let others = b"-._~:/?#@!$&'()*+,;=%";
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    let is_escape = |text: &str| text.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    address.bytes().all(is_plain)
        && address.split('%').skip(1).all(is_escape)
        && address.matches('#').count() <= 1
        && authority.matches('@').count() <= 1
}

/// An `https` page, a page of the user's own machine, or a deep link of an app. A scheme without an
/// authority, such as `data:` or `tel:`, is none of these.
fn is_page_or_app(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => url
            .host_str()
            .is_some_and(|host| host == "localhost" || host == "127.0.0.1"),
        scheme => url.has_authority() && !OF_BROWSERS.contains(&scheme),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn good() -> Value {
        json!({
            "identification": {"type": "CPF", "number": "76109277673", "name": "Ralph Bragg"},
            "callback_urls": {"success": "app://success", "exit": "app://exit", "event": "app://event"}
        })
    }

    fn parsed(body: &Value) -> Result<WidgetRequest, Value> {
        parse(body.to_string().as_bytes())
            .map(|asked| asked.widget)
            .map_err(|problem| serde_json::to_value(problem).unwrap())
    }

    #[test]
    fn a_user_is_connected_with_the_usual_settings() {
        let asked = parsed(&good()).unwrap();
        let WidgetMode::Create(new_link) = asked.mode else {
            panic!("a new link")
        };
        assert_eq!(
            (asked.locale.as_str(), new_link.access_mode.as_str()),
            ("pt", "recurrent")
        );
        assert!(
            uuid::Uuid::parse_str(&new_link.external_id).is_ok(),
            "one that says nothing of the user"
        );
    }

    #[test]
    fn a_link_is_repaired_in_update_mode() {
        let mut body = good();
        body.as_object_mut().unwrap().remove("identification");
        body["link"] = json!("bcca0da9-a4c6-4830-9676-1d54682851d9");
        assert!(matches!(parsed(&body).unwrap().mode, WidgetMode::Update(_)));
        body["external_id"] = json!("mine");
        assert_eq!(parsed(&body).unwrap_err()["field"], "external_id");
    }

    #[test]
    fn users_are_sent_back_to_pages_and_apps_only() {
        for (address, leads_back) in [
            ("https://shop.example/done?a=b", true),
            ("http://127.0.0.1:8080/done", true),
            ("http://localhost/done", true),
            ("https://xn--loja-3oa.example/done", true),
            ("https://lojaç.example/done", false),
            ("app://success", true),
            ("com.shop.app://success", true),
            ("http://shop.example/done", false),
            ("javascript://%0aalert(1)", false),
            ("vbscript://x", false),
            ("intent://x#Intent;end", false),
            ("file:///etc/passwd", false),
            ("blob:https://shop.example/1", false),
            ("data:text/html,x", false),
            ("tel:110", false),
            ("success", false),
            ("https:shop.example", false),
            ("app://s}ccess", false),
            ("app://success/%4", false),
            ("app://success#a#b", false),
            ("app://a@b@c", false),
            ("https://shop.example/a b", false),
            ("https://shop.example/a%20b?c=d@e@f#g", true),
        ] {
            let mut body = good();
            body["callback_urls"]["event"] = json!(address);
            assert_eq!(parsed(&body).is_ok(), leads_back, "{address}");
        }
    }

    #[test]
    fn a_link_that_is_null_is_none() {
        let mut body = good();
        body["link"] = json!(null);
        assert!(matches!(parsed(&body).unwrap().mode, WidgetMode::Create(_)));
    }

    #[test]
    fn a_mistake_names_its_field_and_does_not_repeat_the_user() {
        let identification =
            |number: &str| json!({"type": "CPF", "number": number, "name": "Ralph Bragg"});
        let cases = [
            ("external_id", "external_id", json!("two words")),
            ("identification", "identification", json!(7)),
            (
                "identification",
                "identification.number",
                identification("76109277"),
            ),
            (
                "identification",
                "name",
                json!({"type": "CNPJ", "number": "12345678000195"}),
            ),
            ("locale", "locale", json!("fr")),
            ("purpose", "purpose", json!("x".repeat(141))),
            ("access_mode", "access_mode", json!("once")),
            (
                "terms_and_conditions_url",
                "terms_and_conditions_url",
                json!("http://terms.example"),
            ),
            (
                "callback_urls",
                "callback_urls.exit",
                json!({"success": "app://s", "exit": "javascript:1", "event": "app://e"}),
            ),
            ("unregistered", "unregistered", json!("allow")),
            (
                "callback_urls",
                "event",
                json!({"success": "app://s", "exit": "app://e"}),
            ),
            (
                "terms_and_conditions_url",
                "terms_and_conditions_url",
                json!("https://lojaç.example"),
            ),
            ("colour", "colour", json!("red")),
        ];
        for (set, field, value) in cases {
            let mut body = good();
            body[set] = value;
            let problem = parsed(&body).unwrap_err();
            assert_eq!(problem["field"], field, "{body}");
            assert!(
                !problem.to_string().contains("Ralph") && !problem.to_string().contains("76109277"),
                "{problem}"
            );
        }
    }
}
