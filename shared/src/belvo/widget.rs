//! The Connect Widget: the token that opens it, and its address.

use std::fmt;

use domain::LinkId;
use reqwest::{Method, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{BelvoError, Client, body::read, client::ApiKeys};
use crate::secret::{ExposeSecret, SecretString};

/// What a widget for a new link may do (Open Finance: "exactly" these, Belvo's OpenAPI).
const NEW_LINK_SCOPES: &str = "read_institutions,write_links,read_consents,write_consents,\
                               write_consent_callback,delete_consents";
/// What a widget in update mode may do ("Hosted widget: update mode", Belvo's documentation).
const UPDATE_SCOPES: &str = "read_institutions,write_links,read_links";
/// What Belvo fetches by itself when the link is created: what this pipeline stores.
const FETCHED: [&str; 2] = ["ACCOUNTS", "TRANSACTIONS"];
/// What the user is asked to permit ("exactly" these, Belvo's OpenAPI).
const PERMISSIONS: [&str; 4] = ["REGISTER", "ACCOUNTS", "CREDIT_CARDS", "CREDIT_OPERATIONS"];

/// How long a widget token lives, in seconds ("valid for 10 minutes", Belvo's documentation).
pub const TOKEN_LIFE_S: u32 = 600;

/// A user to send through the widget.
#[derive(Debug, Clone)]
pub struct WidgetRequest {
    pub mode: WidgetMode,
    /// Where the widget sends the user's browser afterwards.
    pub callbacks: Callbacks,
    /// The language: `pt`, `en` or `es`.
    pub locale: String,
}

/// What every widget shows and asks for, whoever it is opened for.
#[derive(Debug, Clone)]
pub struct WidgetSettings {
    pub branding: Branding,
    /// For how many days Belvo keeps the data of a link that is not updated.
    pub stale_in_days: u32,
    /// The purpose of a request that names none, in at most 140 characters.
    pub purpose: String,
}

/// The company that the widget speaks for. All of it is required (Belvo's OpenAPI).
#[derive(Debug, Clone, Serialize)]
pub struct Branding {
    pub company_icon: String,
    pub company_logo: String,
    pub company_name: String,
    /// Its privacy policy or terms: also those of a request that names none.
    pub company_terms_url: String,
}

/// What the widget is opened for.
#[derive(Debug, Clone)]
pub enum WidgetMode {
    /// To create a link.
    Create(Box<NewLink>),
    /// To let the user of a link log in again.
    Update(LinkId),
}

/// A link to create.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The caller's own id for it.
    pub external_id: String,
    pub identification: Identification,
    /// `recurrent` or `single`.
    pub access_mode: String,
    /// What the data is for, as the widget tells the user.
    pub purpose: Option<String>,
    pub terms_and_conditions_url: Option<String>,
}

/// Who connects a bank. Personal data: it goes to Belvo and nowhere else.
#[derive(Clone)]
pub struct Identification {
    /// `CPF` or `CNPJ`.
    pub kind: String,
    /// Its digits.
    pub number: SecretString,
    pub name: SecretString,
}

impl fmt::Debug for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identification(..)")
    }
}

/// Where the widget sends the user's browser.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Callbacks {
    /// After the link was created, with `?link=…&institution=…`.
    pub success: String,
    /// When the user leaves.
    pub exit: String,
    /// On any other event.
    pub event: String,
}

/// A token with which a browser opens the widget once.
#[derive(Debug, Clone, Deserialize)]
pub struct WidgetToken {
    /// Goes into the widget's address.
    pub access: SecretString,
}

#[derive(Serialize)]
struct TokenBody<'a> {
    id: &'a str,
    password: &'a str,
    scopes: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_id: Option<&'a LinkId>,
    stale_in: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetch_resources: Option<[&'static str; 2]>,
    widget: Widget<'a>,
}

#[derive(Serialize)]
struct Widget<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    openfinance_feature: Option<&'static str>,
    callback_urls: &'a Callbacks,
    branding: &'a Branding,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentBody<'a>>,
}

#[derive(Serialize)]
struct ConsentBody<'a> {
    permissions: [&'static str; 4],
    /// Belvo's guide puts it beside the consent, its OpenAPI inside it, so it is sent in both
    /// places.
    purpose: &'a str,
    terms_and_conditions_url: &'a str,
    identification_info: [IdentificationBody<'a>; 1],
}

#[derive(Serialize)]
struct IdentificationBody<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    number: &'a str,
    name: &'a str,
}

impl Client {
    /// Mints a token for the widget (`POST /api/token/`, which takes the keys in its body). Costs
    /// nothing; safe to repeat.
    pub async fn widget_token(
        &self,
        asked: &WidgetRequest,
        settings: &WidgetSettings,
    ) -> Result<WidgetToken, BelvoError> {
        let url = self.url("api/token/")?;
        let request = |keys: &ApiKeys| {
            let body = TokenBody::new(asked, settings, keys);
            let body = serde_json::to_vec(&body).map_err(|_| BelvoError::Unsendable("body"))?;
            Ok(self
                .request(Method::POST, url.clone())
                .header(header::CONTENT_TYPE, "application/json")
                .body(body))
        };
        self.send_keyed(request, None, read).await
    }
}

impl<'a> TokenBody<'a> {
    fn new(asked: &'a WidgetRequest, settings: &'a WidgetSettings, keys: &'a ApiKeys) -> Self {
        let (scopes, new_link, link_id) = match &asked.mode {
            WidgetMode::Create(new_link) => (NEW_LINK_SCOPES, Some(new_link), None),
            WidgetMode::Update(link) => (UPDATE_SCOPES, None, Some(link)),
        };
        let consent = new_link.map(|new_link| ConsentBody::new(new_link, settings));
        Self {
            id: keys.secret_id.expose_secret(),
            password: keys.secret_password.expose_secret(),
            scopes,
            link_id,
            stale_in: format!("{}d", settings.stale_in_days),
            fetch_resources: new_link.map(|_| FETCHED),
            widget: Widget {
                openfinance_feature: new_link.map(|_| "consent_link_creation"),
                callback_urls: &asked.callbacks,
                branding: &settings.branding,
                purpose: consent.as_ref().map(|consent| consent.purpose),
                consent,
            },
        }
    }
}

impl<'a> ConsentBody<'a> {
    fn new(new_link: &'a NewLink, settings: &'a WidgetSettings) -> Self {
        let purpose = new_link.purpose.as_ref();
        let terms = new_link.terms_and_conditions_url.as_ref();
        Self {
            permissions: PERMISSIONS,
            purpose: purpose.unwrap_or(&settings.purpose),
            terms_and_conditions_url: terms.unwrap_or(&settings.branding.company_terms_url),
            identification_info: [IdentificationBody {
                kind: &new_link.identification.kind,
                number: new_link.identification.number.expose_secret(),
                name: new_link.identification.name.expose_secret(),
            }],
        }
    }
}

impl WidgetRequest {
    /// The address of the hosted widget, token included ("Hosted Widget", Belvo's documentation of
    /// Open Finance).
    #[must_use]
    pub fn address(&self, widget: &Url, token: &WidgetToken) -> Url {
        let mut url = widget.clone();
        url.query_pairs_mut()
            .append_pair("access_token", token.access.expose_secret())
            .append_pair("locale", &self.locale)
            .append_pair("country_codes", "BR")
            .append_pair("integration_type", "openfinance");
        if let WidgetMode::Create(new_link) = &self.mode {
            url.query_pairs_mut()
                .append_pair("access_mode", &new_link.access_mode)
                .append_pair("external_id", &new_link.external_id);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(mode: WidgetMode) -> WidgetRequest {
        let callbacks = Callbacks {
            success: "app://success".into(),
            exit: "app://exit".into(),
            event: "app://event".into(),
        };
        WidgetRequest {
            mode,
            callbacks,
            locale: "pt".to_owned(),
        }
    }

    fn new_link() -> WidgetRequest {
        asked(WidgetMode::Create(Box::new(NewLink {
            external_id: "e 1".to_owned(),
            identification: Identification {
                kind: "CPF".to_owned(),
                number: "76109277673".into(),
                name: "Ralph Bragg".into(),
            },
            access_mode: "recurrent".to_owned(),
            purpose: Some("Offers".to_owned()),
            terms_and_conditions_url: None,
        })))
    }

    fn settings() -> WidgetSettings {
        WidgetSettings {
            branding: Branding {
                company_icon: "https://acme.example/icon.svg".to_owned(),
                company_logo: "https://acme.example/logo.svg".to_owned(),
                company_name: "ACME".to_owned(),
                company_terms_url: "https://acme.example/terms".to_owned(),
            },
            stale_in_days: 300,
            purpose: "Advice".to_owned(),
        }
    }

    fn body(asked: &WidgetRequest) -> serde_json::Value {
        let keys = ApiKeys {
            secret_id: "id".into(),
            secret_password: "password".into(),
        };
        serde_json::to_value(TokenBody::new(asked, &settings(), &keys)).unwrap()
    }

    #[test]
    fn the_token_of_a_new_link_names_the_user_and_what_belvo_fetches() {
        let body = body(&new_link());
        assert_eq!(body["scopes"], NEW_LINK_SCOPES);
        assert_eq!(
            body["fetch_resources"],
            serde_json::json!(["ACCOUNTS", "TRANSACTIONS"])
        );
        assert_eq!(
            body["widget"]["consent"]["identification_info"][0]["number"],
            "76109277673"
        );
        assert_eq!(body["widget"]["callback_urls"]["success"], "app://success");
        assert_eq!(body["widget"]["branding"]["company_name"], "ACME");
        assert_eq!(body["stale_in"], "300d");
        assert_eq!(body.get("link_id"), None);
    }

    #[test]
    fn the_token_of_update_mode_names_the_link_by_the_field_that_belvo_reads() {
        let asked = asked(WidgetMode::Update(
            LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap(),
        ));
        let body = body(&asked);
        assert_eq!(
            (&body["link_id"], &body["scopes"]),
            (
                &"bcca0da9-a4c6-4830-9676-1d54682851d9".into(),
                &UPDATE_SCOPES.into()
            )
        );
        assert_eq!(body.get("fetch_resources"), None);
        assert_eq!(body["widget"].get("consent"), None);
    }

    #[test]
    fn what_a_request_leaves_out_is_as_configured() {
        let mut asked = new_link();
        let consent = |asked: &WidgetRequest| body(asked)["widget"]["consent"].take();
        assert_eq!(consent(&asked)["purpose"], "Offers");
        assert_eq!(
            consent(&asked)["terms_and_conditions_url"],
            "https://acme.example/terms"
        );
        if let WidgetMode::Create(new_link) = &mut asked.mode {
            new_link.purpose = None;
        }
        assert_eq!(consent(&asked)["purpose"], "Advice");
        assert_eq!(body(&asked)["widget"]["purpose"], "Advice");
    }

    #[test]
    fn who_connects_is_not_printed() {
        let printed = format!("{:?}", new_link());
        assert!(
            !printed.contains("Ralph") && !printed.contains("76109277673"),
            "{printed}"
        );
    }

    #[test]
    fn the_address_is_escaped() {
        let token = WidgetToken {
            access: "a&b".into(),
        };
        let address = new_link().address(&Url::parse("https://widget.belvo.io/").unwrap(), &token);
        let expected = "https://widget.belvo.io/?access_token=a%26b&locale=pt&country_codes=BR\
                        &integration_type=openfinance&access_mode=recurrent&external_id=e+1";
        assert_eq!(address.as_str(), expected);
    }
}
