//! The parameters and bodies of every call that asks Belvo for something. Belvo's keys have no
//! value here, so that what is let through ends before anything is sent.

use domain::Limits;
use request::{App, handle};
use serde_json::Value;
use shared::{
    belvo::Client,
    queue::{Queue, Task},
    secret::CachedSecret,
};
use test_harness::widget_settings;

use crate::{
    api::{Answer, Call},
    stock::Stock,
};

const ROUTES: [&str; 6] = [
    "DELETE /links/{link}",
    "POST /connect/token",
    "POST /links",
    "POST /links/{link}/collections",
    "POST /requests",
    "POST /webhooks/{id}/replays",
];
/// What a call is told that would have been sent to Belvo.
const NO_KEYS: &str = "Belvo cannot be used until an operator acts.";

struct Function {
    stock: Stock,
    app: App,
}

thread_local! {
    static FUNCTION: Function = Function::new();
}

impl Function {
    fn new() -> Self {
        let stock = Stock::full();
        let aws = stock.aws.config();
        let keys = CachedSecret::new(&aws, "keys".to_owned());
        let app = App {
            belvo: Client::new("http://127.0.0.1:1/".parse().expect("an address"), keys)
                .expect("a client"),
            control: stock.control.clone(),
            queue: Queue::new(&aws, "http://127.0.0.1:1/queue.fifo".to_owned()),
            // The greatest that template.yaml takes.
            limits: Limits {
                long: 100_000,
                short: 100_000,
            },
            request_due_s: 1_800,
            widget_url: "https://acme.example/widget".parse().expect("an address"),
            widget: widget_settings(),
        };
        Self { stock, app }
    }

    fn answer(&self, call: &Call<'_>) -> (Answer, Vec<String>) {
        let answer = handle(&self.app, call.request(""));
        let answer = Answer::read(call.route, &self.stock.runtime.block_on(answer));
        (answer, self.stock.aws.take_queued())
    }
}

/// A call is let through, or refused by the name of what is wrong with it, which is in the call.
pub(crate) fn check(input: &[u8]) {
    let Some(call) = Call::parse(input, &ROUTES) else {
        return;
    };
    let (answer, queued) = FUNCTION.with(|function| function.answer(&call));
    assert_eq!(queued.len(), usize::from(answer.status == 202));
    match answer.status {
        202 => {
            assert!(queued.iter().all(|message| Task::parse(message).is_ok()));
            call.assert_acceptable();
        }
        400 => assert_names_a_field(&call, &answer),
        404 | 409 | 422 => assert_eq!(answer.body.get("belvo_code"), None),
        503 => {
            let detail = answer.body["detail"].as_str().expect("a detail");
            assert!(
                detail.starts_with(NO_KEYS.trim_end_matches('.')),
                "{detail}"
            );
            call.assert_acceptable();
        }
        status => panic!("{status} {}", answer.body),
    }
    assert_keeps_to_itself(&call, &answer);
}

fn assert_names_a_field(call: &Call<'_>, answer: &Answer) {
    match answer.kind() {
        Some("invalid-body") => {
            let body = serde_json::from_slice::<Value>(call.body);
            assert!(!body.is_ok_and(|body| body.is_object()), "{}", answer.body);
        }
        Some("invalid-field") => {
            let field = answer.field().expect("a field");
            assert!(field.len() <= call.body.len().max(40), "{field}");
        }
        kind => panic!("{kind:?} {}", answer.body),
    }
}

/// A refusal never repeats the number of a person's document.
fn assert_keeps_to_itself(call: &Call<'_>, answer: &Answer) {
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return;
    };
    // No detail of ours has so many digits one after the other.
    let is_number = |told: &&str| told.len() > 10 && told.bytes().all(|b| b.is_ascii_digit());
    let told = body["identification"]["number"].as_str().filter(is_number);
    let detail = answer.body["detail"].as_str().unwrap_or_default();
    assert!(!told.is_some_and(|told| detail.contains(told)), "{detail}");
}
