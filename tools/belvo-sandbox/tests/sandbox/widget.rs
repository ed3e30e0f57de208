//! The Connect Widget's stand-in, from the token to the webhooks of a new link.

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

/// The body of a token request, with some fields changed.
fn token_request(changes: &Value) -> Value {
    let mut body = json!({
        "id": "sandbox-id",
        "password": "sandbox-password",
        "scopes": "read_institutions,write_links",
        "fetch_resources": ["ACCOUNTS", "TRANSACTIONS"],
        "stale_in": "300d",
        "widget": {
            "callback_urls": { "success": SUCCESS, "exit": EXIT, "event": "http://app.example/event" },
            "consent": {
                "purpose": "Crédito <b>justo</b>",
                "identification_info": [{ "type": "CPF", "number": "76109277673", "name": "Ralph <i>Bragg" }],
            },
        },
    });
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

async fn token(harness: &Harness, changes: Value) -> String {
    let answer = harness.post("/api/token/", &token_request(&changes)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["access"].as_str().unwrap().to_owned()
}

/// The widget's page.
async fn open(harness: &Harness, parameters: &[(&str, &str)]) -> Answer {
    let url = Url::parse_with_params(&format!("{}/widget/", harness.url()), parameters).unwrap();
    answer(harness.request(Method::GET, url.as_str()))
        .await
        .unwrap()
}

/// The form, sent with one of its buttons.
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
    answer(request.body(form.query().unwrap_or_default().to_owned()))
        .await
        .unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

/// The link that a success callback names.
fn connected(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text);
    let location = Url::parse(header(answer, "location")).unwrap();
    location
        .query_pairs()
        .find(|(name, _)| name == "link")
        .unwrap()
        .1
        .into_owned()
}

/// Two webhooks of a link, accounts first, under an id that no call was answered with.
async fn assert_first_data(harness: &Harness, receiver: &Receiver, link: &str, from: usize) {
    let deliveries = receiver.wait_for(from + 2).await;
    let (accounts, transactions) = (deliveries[from].json(), deliveries[from + 1].json());
    assert_eq!(
        (&accounts["webhook_type"], &transactions["webhook_type"]),
        (&json!("ACCOUNTS"), &json!("TRANSACTIONS"))
    );
    assert_eq!(accounts["data"], json!({ "total_accounts": 3 }));
    assert_eq!(transactions["data"]["total_transactions"], 250);
    assert_eq!(accounts["request_id"], transactions["request_id"]);
    for webhook in [&accounts, &transactions] {
        assert_eq!(
            (&webhook["webhook_code"], &webhook["link_id"]),
            (&json!("historical_update"), &json!(link))
        );
        assert_eq!(
            (&webhook["process_type"], &webhook["external_id"]),
            (&json!("historical_update"), &json!("user-1"))
        );
        assert!(webhook["request_id"].is_string());
    }
    let journal = harness.journal().await;
    assert_eq!(
        (&journal["retrievals"], &journal["posts"]),
        (&json!({}), &json!([]))
    );
}

#[tokio::test]
async fn a_user_connects_and_both_webhooks_come_without_a_retrieval() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let token = token(&harness, json!({})).await;
    let answer = press(&harness, "connect", &token, &[("external_id", "user-1")]).await;
    let link = connected(&answer);
    let location = format!("{SUCCESS}&link={link}&institution=erebor_br_retail");
    assert_eq!(header(&answer, "location"), location);
    assert_first_data(&harness, &receiver, &link, 0).await;
    let link = harness.get(&format!("/api/links/{link}/")).await.json();
    assert_eq!(
        (&link["access_mode"], &link["external_id"]),
        (&json!("recurrent"), &json!("user-1"))
    );
    assert_eq!(
        (&link["stale_in"], &link["institution"]),
        (&json!("300d"), &json!("erebor_br_retail"))
    );
}

#[tokio::test]
async fn a_single_link_gets_both_webhooks_too() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let token = token(&harness, json!({})).await;
    let fields = [("external_id", "user-1"), ("access_mode", "single")];
    let link = connected(&press(&harness, "connect", &token, &fields).await);
    assert_first_data(&harness, &receiver, &link, 0).await;
    assert_eq!(
        harness.get(&format!("/api/links/{link}/")).await.json()["access_mode"],
        "single"
    );
}

#[tokio::test]
async fn without_transactions_in_its_token_a_link_gets_no_webhook() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let accounts = token(&harness, json!({ "fetch_resources": ["ACCOUNTS"] })).await;
    let quiet = connected(&press(&harness, "connect", &accounts, &[]).await);
    let token = token(&harness, json!({})).await;
    let link = connected(&press(&harness, "connect", &token, &[("external_id", "user-1")]).await);
    assert_first_data(&harness, &receiver, &link, 0).await;
    let quiet = harness.get(&format!("/api/links/{quiet}/")).await.json();
    assert_eq!(
        (&quiet["fetch_resources"], &quiet["external_id"]),
        (&json!(["ACCOUNTS"]), &Value::Null)
    );
}

#[tokio::test]
async fn rules_apply_to_the_webhooks_of_a_new_link() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    harness
        .rule(json!({ "on": "webhook", "times": 1, "action": { "hold_until_next": true } }))
        .await;
    harness
        .rule(json!({ "on": "webhook", "skip": 1, "times": 1, "action": { "early": true } }))
        .await;
    let token = token(&harness, json!({})).await;
    connected(&press(&harness, "connect", &token, &[]).await);
    // Early: it was there before the user was sent back.
    assert!(receiver.received() >= 1);
    let kinds: Vec<Value> = receiver
        .wait_for(2)
        .await
        .iter()
        .map(|delivery| delivery.json()["webhook_type"].clone())
        .collect();
    assert_eq!(kinds, ["TRANSACTIONS", "ACCOUNTS"]);
}

#[tokio::test]
async fn a_token_connects_once_and_a_refused_one_says_so_and_leads_to_the_exit() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    assert_eq!(
        open(&harness, &[("access_token", &token)]).await.status,
        200
    );
    connected(&press(&harness, "connect", &token, &[]).await);
    let refused = [
        press(&harness, "connect", &token, &[]).await,
        open(&harness, &[("access_token", &token)]).await,
    ];
    let message = "The%20access%20token%20was%20not%20provided%20or%20is%20not%20valid";
    for answer in refused {
        assert_eq!(answer.status, 400);
        let exit =
            format!("href=\"{EXIT}?error=ACCESS_TOKEN_NOT_VALID&amp;error_message={message}\"");
        assert!(
            answer.text.contains("já foi usado") && answer.text.contains(&exit),
            "{}",
            answer.text
        );
    }
    let unknown = open(&harness, &[("access_token", "x"), ("locale", "en")]).await;
    assert!(
        unknown.status == 400
            && unknown.text.contains("has expired")
            && !unknown.text.contains("href")
    );
    assert_eq!(harness.get("/api/links/").await.json()["count"], 1);
}

#[tokio::test]
async fn cancelling_and_failing_lead_to_the_exit_with_the_documented_parameters() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    let about = "meta_data_institution_name=erebor_br_retail&meta_data_step=abandon-survey";
    let error = "last_encountered_error_code=login_error&last_encountered_error_message=\
                 Invalid%20credentials%20provided%20to%20login%20to%20the%20institution";
    let cancelled = press(&harness, "cancel", &token, &[]).await;
    assert_eq!(
        (cancelled.status, header(&cancelled, "location")),
        (303, &*format!("{EXIT}?{about}"))
    );
    let failed = press(&harness, "fail", &token, &[]).await;
    assert_eq!(
        (failed.status, header(&failed, "location")),
        (303, &*format!("{EXIT}?{error}&{about}"))
    );
    assert_eq!(harness.get("/api/links/").await.json()["count"], 0);
    assert_eq!(
        press(
            &harness,
            "connect",
            &token,
            &[("institution", "no_such_bank")]
        )
        .await
        .status,
        400
    );
    connected(&press(&harness, "connect", &token, &[]).await);
}

#[tokio::test]
async fn an_update_makes_the_link_valid_again_and_only_a_recurrent_one_gets_webhooks() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    for (mode, received) in [("single", 0), ("recurrent", 2)] {
        let body = json!({ "access_mode": mode, "transactions": 250, "external_id": "user-1" });
        let link = harness.control(Method::POST, "/links", body).await.json()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        harness
            .control(
                Method::PATCH,
                &format!("/links/{link}"),
                json!({ "status": "invalid" }),
            )
            .await;
        let token = token(
            &harness,
            json!({ "link_id": link, "fetch_resources": null }),
        )
        .await;
        let page = open(&harness, &[("access_token", &token)]).await.text;
        assert!(page.contains("OF Mockbank (ofmockbank_br_retail)") && !page.contains("<select"));
        assert_eq!(
            connected(&press(&harness, "connect", &token, &[]).await),
            link
        );
        assert_eq!(
            harness.get(&format!("/api/links/{link}/")).await.json()["status"],
            "valid"
        );
        if received > 0 {
            assert_first_data(&harness, &receiver, &link, 0).await;
        }
    }
    assert_eq!(harness.get("/api/links/").await.json()["count"], 2);
}

#[tokio::test]
async fn the_page_says_whose_data_is_asked_for_and_escapes_foreign_text() {
    let harness = Harness::start().await;
    let token = token(&harness, json!({})).await;
    let hostile = "\"><script>alert('{{access_token}}')</script>";
    let parameters = [
        ("access_token", token.as_str()),
        ("external_id", hostile),
        ("locale", "en"),
    ];
    let page = open(&harness, &parameters).await.text;
    let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;{{access_token}}&#39;)&lt;/script&gt;";
    assert!(
        page.contains(escaped) && !page.contains("<script"),
        "{page}"
    );
    assert!(
        page.contains("Ralph &lt;i&gt;Bragg") && page.contains("Crédito &lt;b&gt;justo&lt;/b&gt;")
    );
    assert!(page.contains("•••••••••73") && !page.contains("76109277673"));
    assert!(page.contains("<html lang=\"en\">") && page.contains("Development only"));
    for button in ["id=\"connect\"", "id=\"cancel\"", "id=\"fail\""] {
        assert!(page.contains(button));
    }
    let only = open(
        &harness,
        &[
            ("access_token", &token),
            ("institutions", "erebor_br_retail"),
        ],
    )
    .await
    .text;
    assert_eq!(
        (
            only.matches("<option").count(),
            page.matches("<option").count()
        ),
        (1, 3)
    );
}

#[tokio::test]
async fn the_script_is_javascript_and_its_frame_gets_messages_instead_of_redirects() {
    let harness = Harness::start().await;
    let script = answer(harness.request(Method::GET, "/belvo-widget-1-stable.js"))
        .await
        .unwrap();
    assert_eq!(
        (script.status, header(&script, "content-type")),
        (200, "text/javascript; charset=utf-8")
    );
    assert!(script.text.contains("window.belvoSDK = { createWidget }"));
    let token = token(&harness, json!({})).await;
    let hostile = press(
        &harness,
        "cancel",
        &token,
        &[("embedded", "1"), ("institution", "</script>")],
    )
    .await;
    assert!(
        hostile.status == 200
            && hostile
                .text
                .contains(r#""institution_name":"\u003c/script>""#),
        "{}",
        hostile.text
    );
    let answer = press(&harness, "connect", &token, &[("embedded", "1")]).await;
    let link = harness.get("/api/links/").await.json()["results"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let message = json!({ "type": "success", "link": link, "institution": "erebor_br_retail" });
    assert!(
        answer.status == 200
            && answer
                .text
                .contains(&format!("parent.postMessage({message}, \"*\")"))
    );
}

#[tokio::test]
async fn a_token_is_refused_for_wrong_keys_an_unknown_link_and_a_callback_that_is_no_address() {
    let harness = Harness::start().await;
    let refused = [
        (json!({ "password": "no" }), 401, "authentication_failed"),
        (
            json!({ "link_id": "0d3ffb69-f83b-456e-ad8e-208d0998d71d" }),
            400,
            "does_not_exist",
        ),
        (json!({ "fetch_resources": "ACCOUNTS" }), 400, "not_a_list"),
        (
            json!({ "widget": { "callback_urls": { "exit": "javascript:alert(1)" } } }),
            400,
            "invalid",
        ),
    ];
    for (changes, status, code) in refused {
        let answer = harness.post("/api/token/", &token_request(&changes)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{}",
            answer.text
        );
    }
}
