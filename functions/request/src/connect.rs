//! `POST /connect/token`: a user is sent through Belvo's Connect Widget, to make a link or to mend
//! one.

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    tracing,
};
use serde_json::json;
use shared::{
    belvo::{Callbacks, Connecting, Identification, TOKEN_LIFE_S, WidgetAim, WidgetRequest},
    domain::LinkId,
    http,
    problem::Problem,
};
use url::Url;

use crate::{
    Requesting,
    fields::{Fields, link_id},
    repeatable,
};

const SHAPE: &str = r#"the body must be a JSON object such as {"identification": {"type": "CPF", "number": "76109277673", "name": "Ralph Bragg"}, "callback_urls": {"success": "app://success", "exit": "app://exit", "event": "app://event"}}, or one with the link to mend: {"link": "bcca0da9-a4c6-4830-9676-1d54682851d9", "callback_urls": {...}}"#;
/// What `purpose` may have at most ("maxLength" in Belvo's OpenAPI; Belvo's guide says 600).
const LONGEST_PURPOSE: usize = 140;
/// The longest callback address taken.
const LONGEST_URL: usize = 2_048;

/// Mints a token and answers 201 with the address to send the user's browser to. The token opens
/// the widget once, within ten minutes. Costs nothing at Belvo, so it may be asked for again.
pub(crate) async fn mint(
    requesting: &Requesting,
    request: &Request,
    gateway_request_id: &str,
) -> Result<Response<Body>, Problem> {
    let asked = parse(request.body().as_ref())?;
    let token = requesting
        .belvo
        .widget_token(&asked)
        .await
        .map_err(|error| repeatable(&error, gateway_request_id))?;
    let (external_id, link) = match &asked.aim {
        WidgetAim::Connect(connecting) => (Some(connecting.external_id.as_str()), None),
        WidgetAim::Update(link) => (None, Some(link)),
    };
    tracing::info!(
        gateway.request_id = gateway_request_id,
        link.id = link.map(LinkId::as_str),
        "widget token minted"
    );
    let answer = json!({
        "widget_url": asked.address(&requesting.widget_url, &token).as_str(),
        "access_token": token.access.expose(),
        "expires_in_s": TOKEN_LIFE_S,
        "external_id": external_id,
        "link": link,
    });
    let mut response = http::json(StatusCode::CREATED, &answer);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn parse(body: &[u8]) -> Result<WidgetRequest, Problem> {
    let mut fields = Fields::parse(body, SHAPE)?;
    let callbacks = callbacks(fields.object("callback_urls")?)?;
    let locale = fields.one_of("locale", &["pt", "en", "es"])?;
    let aim = if fields.has("link") {
        let aim = WidgetAim::Update(link_id(&fields.required("link")?)?);
        fields.end("link, callback_urls and locale, where a link is to be mended")?;
        aim
    } else {
        let connecting = connecting(&mut fields)?;
        fields.end(
            "external_id, identification, locale, purpose, terms_and_conditions_url, access_mode, callback_urls and link",
        )?;
        WidgetAim::Connect(Box::new(connecting))
    };
    Ok(WidgetRequest {
        aim,
        callbacks,
        locale,
    })
}

fn connecting(fields: &mut Fields) -> Result<Connecting, Problem> {
    let external_id = match fields.optional("external_id")? {
        Some(id) => external_id(id)?,
        None => uuid::Uuid::new_v4().to_string(),
    };
    let purpose = fields.optional("purpose")?;
    if purpose
        .as_ref()
        .is_some_and(|purpose| purpose.chars().count() > LONGEST_PURPOSE)
    {
        return Err(Problem::field(
            "purpose",
            format!("purpose may have {LONGEST_PURPOSE} characters"),
        ));
    }
    let terms_and_conditions_url = fields.optional("terms_and_conditions_url")?;
    let secure = |url: &String| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
    if !terms_and_conditions_url.as_ref().is_none_or(secure) {
        let detail = "terms_and_conditions_url must be an https:// address";
        return Err(Problem::field("terms_and_conditions_url", detail));
    }
    Ok(Connecting {
        external_id,
        identification: identification(fields.object("identification")?)?,
        access_mode: fields.one_of("access_mode", &["recurrent", "single"])?,
        purpose,
        terms_and_conditions_url,
    })
}

/// Belvo's rule: 3 to 256 letters, digits, `-` and `_` (`external_id` in Belvo's OpenAPI), which
/// also keeps personal data out.
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

/// A refusal names the field and never repeats what was in it.
fn identification(mut fields: Fields) -> Result<Identification, Problem> {
    let kind = fields.one_of("type", &["CPF", "CNPJ"])?;
    let number = fields.required("number")?;
    let name = fields.required("name")?;
    fields.end("type, number and name")?;
    // A CNPJ may have letters from July 2026 on (Receita Federal, "CNPJ alfanumérico").
    let (fits, must) = match kind.as_str() {
        "CPF" => (
            number.len() == 11 && number.bytes().all(|b| b.is_ascii_digit()),
            "11 digits",
        ),
        _ => (
            number.len() == 14 && number.bytes().all(|b| b.is_ascii_alphanumeric()),
            "14 digits or letters",
        ),
    };
    if !fits {
        return Err(Problem::field(
            "identification.number",
            format!("the number of a {kind} must have {must}"),
        ));
    }
    if name.trim().is_empty() {
        return Err(Problem::field("identification.name", "the name is missing"));
    }
    Ok(Identification {
        kind,
        number: number.as_str().into(),
        name: name.as_str().into(),
    })
}

fn callbacks(mut fields: Fields) -> Result<Callbacks, Problem> {
    let mut url = |name: &str| {
        let text = fields.required(name)?;
        let names = Url::parse(&text)
            .is_ok_and(|url| !["javascript", "data", "file"].contains(&url.scheme()));
        if names && text.len() <= LONGEST_URL {
            Ok(text)
        } else {
            let detail = "must be the address of a page, or a deep link such as app://success";
            Err(Problem::field(&format!("callback_urls.{name}"), detail))
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
        parse(body.to_string().as_bytes()).map_err(|problem| serde_json::to_value(problem).unwrap())
    }

    #[test]
    fn a_user_is_connected_with_the_usual_settings() {
        let asked = parsed(&good()).unwrap();
        let WidgetAim::Connect(connecting) = asked.aim else {
            panic!("a new link")
        };
        assert_eq!(
            (asked.locale.as_str(), connecting.access_mode.as_str()),
            ("pt", "recurrent")
        );
        assert!(
            uuid::Uuid::parse_str(&connecting.external_id).is_ok(),
            "one that says nothing of the user"
        );
    }

    #[test]
    fn a_link_is_mended_in_update_mode() {
        let mut body = good();
        body.as_object_mut().unwrap().remove("identification");
        body["link"] = json!("bcca0da9-a4c6-4830-9676-1d54682851d9");
        assert!(matches!(parsed(&body).unwrap().aim, WidgetAim::Update(_)));
        body["external_id"] = json!("mine");
        assert_eq!(parsed(&body).unwrap_err()["field"], "external_id");
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
            (
                "callback_urls",
                "event",
                json!({"success": "app://s", "exit": "app://e"}),
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
