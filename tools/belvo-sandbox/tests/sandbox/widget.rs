//! The stand-in for the Connect Widget, from the token to the webhooks of a new link.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Harness, answer},
    receiver::Receiver,
};

const SUCCESS: &str = "http://app.example/done?user=1";
const EXIT: &str = "http://app.example/exit";

/// The body of a token request as Belvo's OpenAPI document wants it, with some fields changed;
/// `null` leaves one out.
pub(crate) fn token_request(changes: &Value) -> Value {
    let person = json!({ "type": "CPF", "number": "76109277673", "name": "Ralph <i>Bragg" });
    let event = "http://app.example/event";
    let mut body = json!({
        "id": "sandbox-id",
        "password": "sandbox-password",
        "scopes": "read_institutions,write_links",
        "fetch_resources": ["ACCOUNTS", "TRANSACTIONS"],
        "stale_in": "300d",
        "widget": {
            "openfinance_feature": "consent_link_creation",
            "callback_urls": { "success": SUCCESS, "exit": EXIT, "event": event },
            "branding": {
                "company_icon": "https://app.example/icon.svg",
                "company_logo": "https://app.example/logo.svg",
                "company_name": "ACME",
                "company_terms_url": "https://app.example/privacy",
            },
            "consent": {
                "purpose": "Crédito <b>justo</b>",
                "terms_and_conditions_url": "https://app.example/terms",
                "permissions": ["REGISTER", "ACCOUNTS", "CREDIT_CARDS", "CREDIT_OPERATIONS"],
                "identification_info": [person],
            },
        },
    });
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    let fields = body.as_object_mut().unwrap();
    fields.retain(|_, value| !value.is_null());
    body
}

async fn token(harness: &Harness, changes: Value) -> String {
    let answer = harness.post("/api/token/", &token_request(&changes)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["access"].as_str().unwrap().to_owned()
}

/// The page of the widget.
async fn open(harness: &Harness, parameters: &[(&str, &str)]) -> Answer {
    let url = format!("{}/widget/", harness.url());
    let url = Url::parse_with_params(&url, parameters).unwrap();
    let request = harness.request(Method::GET, url.as_str());
    answer(request).await.unwrap()
}

/// Sends the form with one of its buttons.
async fn press(harness: &Harness, action: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let fields = [
        ("access_token", token),
        ("action", action),
        ("institution", "erebor_br_retail"),
    ];
    let mut form = Url::parse("http://form/").unwrap();
    form.query_pairs_mut()
        .extend_pairs(fields)
        .extend_pairs(more);

    let request = harness.request(Method::POST, "/widget/connect");
    let body = form.query().unwrap_or_default().to_owned();
    answer(request.body(body)).await.unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

/// The link in the success callback.
fn connected(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text);
    let location = Url::parse(header(answer, "location")).unwrap();
    let mut parameters = location.query_pairs();
    let (_, link) = parameters.find(|(name, _)| name == "link").unwrap();
    link.into_owned()
}

/// The receiver has got two webhooks of a link, accounts first, under a request id that answered no
/// call.
async fn assert_first_data(harness: &Harness, receiver: &Receiver, link: &str) {
    let webhooks = receiver.wait_for(2).await;
    let (accounts, transactions) = (webhooks[0].json(), webhooks[1].json());
    assert_eq!(accounts["webhook_type"], "ACCOUNTS");
    assert_eq!(accounts["data"], json!({ "total_accounts": 3 }));
    assert_eq!(transactions["webhook_type"], "TRANSACTIONS");
    assert_eq!(transactions["data"]["total_transactions"], 250);

    for webhook in [&accounts, &transactions] {
        assert_eq!(webhook["webhook_code"], "historical_update");
        assert_eq!(webhook["process_type"], "historical_update");
        assert_eq!(webhook["link_id"], link);
        assert_eq!(webhook["external_id"], "user-1");
        assert!(webhook["request_id"].is_string());
    }
    assert_eq!(accounts["request_id"], transactions["request_id"]);

    let journal = harness.journal().await;
    assert_eq!(journal["retrievals"], json!({}));
    assert_eq!(journal["posts"], json!([]));
}

#[tokio::test]
async fn a_user_connects_and_both_webhooks_are_sent_without_a_retrieval() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let token = token(&harness, json!({})).await;

    let fields = [("external_id", "user-1")];
    let answer = press(&harness, "connect", &token, &fields).await;

    let link = connected(&answer);
    let location = format!("{SUCCESS}&link={link}&institution=erebor_br_retail");
    assert_eq!(header(&answer, "location"), location);
    assert_first_data(&harness, &receiver, &link).await;
    let link = harness.shown(&link).await;
    assert_eq!(link["access_mode"], "recurrent");
    assert_eq!(link["external_id"], "user-1");
    assert_eq!(link["stale_in"], "300d");
    assert_eq!(link["institution"], "erebor_br_retail");
}

#[tokio::test]
async fn a_single_link_gets_both_webhooks_too() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let token = token(&harness, json!({})).await;

    let fields = [("external_id", "user-1"), ("access_mode", "single")];
    let answer = press(&harness, "connect", &token, &fields).await;

    let link = connected(&answer);
    assert_first_data(&harness, &receiver, &link).await;
    assert_eq!(harness.shown(&link).await["access_mode"], "single");
}

#[tokio::test]
async fn a_link_whose_token_fetches_no_transactions_gets_no_webhook() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;

    let accounts_only = json!({ "fetch_resources": ["ACCOUNTS"] });
    let accounts_only = token(&harness, accounts_only).await;
    let quiet = connected(&press(&harness, "connect", &accounts_only, &[]).await);

    // The webhooks of this second link are the first that the receiver gets.
    let token = token(&harness, json!({})).await;
    let fields = [("external_id", "user-1")];
    let link = connected(&press(&harness, "connect", &token, &fields).await);
    assert_first_data(&harness, &receiver, &link).await;

    let quiet = harness.shown(&quiet).await;
    assert_eq!(quiet["fetch_resources"], json!(["ACCOUNTS"]));
    assert_eq!(quiet["external_id"], Value::Null);
}

#[tokio::test]
async fn rules_apply_to_the_webhooks_of_a_new_link() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let hold = json!({ "hold_until_next": true });
    harness.once("webhook", hold).await;
    let early = json!({ "early": true });
    let rule = json!({ "on": "webhook", "skip": 1, "times": 1, "action": early });
    harness.rule(rule).await;

    let token = token(&harness, json!({})).await;
    connected(&press(&harness, "connect", &token, &[]).await);

    // Early: it was there before the user was sent back.
    assert!(receiver.received() >= 1);
    let webhooks = receiver.wait_for(2).await;
    let kinds = webhooks
        .iter()
        .map(|one| one.json()["webhook_type"].clone());
    let kinds: Vec<Value> = kinds.collect();
    assert_eq!(kinds, ["TRANSACTIONS", "ACCOUNTS"]);
}

#[tokio::test]
async fn a_token_connects_once_and_then_leads_to_the_exit() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    let page = open(&harness, &[("access_token", &token)]).await;
    assert_eq!(page.status, 200);
    connected(&press(&harness, "connect", &token, &[]).await);

    let message = "The%20access%20token%20was%20not%20provided%20or%20is%20not%20valid";
    let exit = format!("href=\"{EXIT}?error=ACCESS_TOKEN_NOT_VALID&amp;error_message={message}\"");
    for refused in [
        press(&harness, "connect", &token, &[]).await,
        open(&harness, &[("access_token", &token)]).await,
    ] {
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains("já foi usado"), "{}", refused.text);
        assert!(refused.text.contains(&exit), "{}", refused.text);
    }
    assert_eq!(harness.get("/api/links/").await.json()["count"], 1);
}

#[tokio::test]
async fn an_unknown_token_is_refused_without_a_way_out() {
    let harness = Harness::start().await;

    let parameters = [("access_token", "x"), ("locale", "en")];
    let refused = open(&harness, &parameters).await;

    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("has expired"));
    assert!(!refused.text.contains("href"));
}

#[tokio::test]
async fn cancelling_and_failing_lead_to_the_exit_with_the_documented_parameters() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    let about = "meta_data_institution_name=erebor_br_retail&meta_data_step=abandon-survey";
    let error = "last_encountered_error_code=login_error&last_encountered_error_message=\
                 Invalid%20credentials%20provided%20to%20login%20to%20the%20institution";

    let cancelled = press(&harness, "cancel", &token, &[]).await;
    assert_eq!(cancelled.status, 303);
    assert_eq!(header(&cancelled, "location"), format!("{EXIT}?{about}"));

    let failed = press(&harness, "fail", &token, &[]).await;
    assert_eq!(failed.status, 303);
    let location = format!("{EXIT}?{error}&{about}");
    assert_eq!(header(&failed, "location"), location);

    assert_eq!(harness.get("/api/links/").await.json()["count"], 0);
}

#[tokio::test]
async fn a_token_that_was_not_used_up_can_still_connect() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    press(&harness, "cancel", &token, &[]).await;
    press(&harness, "fail", &token, &[]).await;

    let unknown = [("institution", "no_such_bank")];
    let refused = press(&harness, "connect", &token, &unknown).await;
    assert_eq!(refused.status, 400);

    connected(&press(&harness, "connect", &token, &[]).await);
}

#[tokio::test]
async fn an_update_makes_the_link_valid_again_and_only_a_recurrent_one_gets_webhooks() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;

    // The webhooks of the recurrent link are the first that the receiver gets.
    for mode in ["single", "recurrent"] {
        let settings = json!({ "access_mode": mode, "external_id": "user-1" });
        let link = harness.create(settings).await.id();
        let invalid = json!({ "status": "invalid" });
        harness.patch(&format!("/links/{link}"), invalid).await;

        let update = json!({ "link_id": link, "fetch_resources": null });
        let token = token(&harness, update).await;
        let page = open(&harness, &[("access_token", &token)]).await.text;
        assert!(page.contains("OF Mockbank (ofmockbank_br_retail)"));
        assert!(!page.contains("<select"));

        let answer = press(&harness, "connect", &token, &[]).await;
        assert_eq!(connected(&answer), link);
        assert_eq!(harness.shown(&link).await["status"], "valid");
        if mode == "recurrent" {
            assert_first_data(&harness, &receiver, &link).await;
        }
    }
    assert_eq!(harness.get("/api/links/").await.json()["count"], 2);
}

#[tokio::test]
async fn the_page_says_whose_data_is_requested_and_offers_three_answers() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;

    let parameters = [("access_token", token.as_str()), ("locale", "en")];
    let page = open(&harness, &parameters).await.text;

    assert!(page.contains("<html lang=\"en\">"));
    assert!(page.contains("Development only"));
    assert!(page.contains("•••••••••73"));
    assert!(!page.contains("76109277673"));
    for button in ["id=\"connect\"", "id=\"cancel\"", "id=\"fail\""] {
        assert!(page.contains(button));
    }
}

#[tokio::test]
async fn the_page_escapes_text_from_requests() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;

    let hostile = "\"><script>alert('{{access_token}}')</script>";
    let parameters = [("access_token", token.as_str()), ("external_id", hostile)];
    let page = open(&harness, &parameters).await.text;

    let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;{{access_token}}&#39;)&lt;/script&gt;";
    assert!(page.contains(escaped), "{page}");
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("Ralph &lt;i&gt;Bragg"));
    assert!(page.contains("Crédito &lt;b&gt;justo&lt;/b&gt;"));
}

#[tokio::test]
async fn the_page_offers_all_banks_or_the_requested_ones() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    let access_token = ("access_token", token.as_str());

    let all = open(&harness, &[access_token]).await.text;
    assert_eq!(all.matches("<option").count(), 3);

    let requested = ("institutions", "erebor_br_retail");
    let one = open(&harness, &[access_token, requested]).await.text;
    assert_eq!(one.matches("<option").count(), 1);
}

#[tokio::test]
async fn the_script_is_javascript() {
    let harness = Harness::start().await;

    let request = harness.request(Method::GET, "/belvo-widget-1-stable.js");
    let script = answer(request).await.unwrap();

    assert_eq!(script.status, 200);
    let content_type = header(&script, "content-type");
    assert_eq!(content_type, "text/javascript; charset=utf-8");
    assert!(script.text.contains("window.belvoSDK = { createWidget }"));
}

#[tokio::test]
async fn a_frame_gets_messages_instead_of_redirects() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    let embedded = ("embedded", "1");

    let hostile = [embedded, ("institution", "</script>")];
    let cancelled = press(&harness, "cancel", &token, &hostile).await;
    assert_eq!(cancelled.status, 200);
    let escaped = r#""institution_name":"\u003c/script>""#;
    assert!(cancelled.text.contains(escaped), "{}", cancelled.text);

    let answer = press(&harness, "connect", &token, &[embedded]).await;
    assert_eq!(answer.status, 200);
    let links = harness.get("/api/links/").await.json();
    let link = &links["results"][0]["id"];
    let message = json!({ "type": "success", "link": link, "institution": "erebor_br_retail" });
    let script = format!("parent.postMessage({message}, \"*\")");
    assert!(answer.text.contains(&script), "{}", answer.text);
}

#[tokio::test]
async fn a_token_is_refused_for_wrong_keys_an_unknown_link_and_a_callback_that_is_no_address() {
    let harness = Harness::start().await;

    let password = json!({ "password": "no" });
    let link = json!({ "link_id": "0d3ffb69-f83b-456e-ad8e-208d0998d71d" });
    let resources = json!({ "fetch_resources": "ACCOUNTS" });
    let mut widget = token_request(&json!({}))["widget"].take();
    widget["callback_urls"]["exit"] = json!("javascript:alert(1)");
    let callback = json!({ "widget": widget });
    for (changes, status, code) in [
        (password, 401, "authentication_failed"),
        (link, 400, "does_not_exist"),
        (resources, 400, "not_a_list"),
        (callback, 400, "invalid"),
    ] {
        let answer = harness.post("/api/token/", &token_request(&changes)).await;

        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.code(), code, "{}", answer.text);
    }
}
