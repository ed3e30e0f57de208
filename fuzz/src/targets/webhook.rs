//! The body of a webhook, as anybody may send it who knows the address and Belvo's authorization.

use lambda_http::http::StatusCode;
use shared::{
    belvo::Webhook,
    queue::{Queue, Task},
    secret::CachedSecret,
};
use tokio::runtime::Runtime;
use webhook::{App, handle};

use crate::{
    api::{Answer, Call},
    aws::{AUTHORIZATION, Aws, WEBHOOK_SECRET},
    slow,
};

const ROUTE: &str = "POST /webhooks/belvo";
const LONGEST_BODY: usize = 64 * 1_024;
const LONGEST_NAME: usize = 100;

struct Function {
    runtime: Runtime,
    aws: Aws,
    app: App,
}

thread_local! {
    static FUNCTION: Function = Function::new();
}

impl Function {
    fn new() -> Self {
        let aws = Aws::new();
        let config = aws.config();
        let app = App {
            queue: Queue::new(&config, "http://127.0.0.1:1/queue.fifo".to_owned()),
            secret: CachedSecret::new(&config, WEBHOOK_SECRET.to_owned()),
            ack_status: StatusCode::ACCEPTED,
            allowed_source_ips: Vec::new(),
        };
        let runtime = crate::stock::runtime();
        Self { runtime, aws, app }
    }

    fn deliver(&self, body: &[u8]) -> (Answer, Vec<String>) {
        let call = Call::of(ROUTE, body).request(AUTHORIZATION);
        let answer = self.runtime.block_on(handle(&self.app, call));
        (Answer::read(ROUTE, &answer), self.aws.take_queued())
    }
}

/// A webhook is queued as it was sent, or refused by the field that a slow reading finds wrong.
pub(crate) fn check(body: &[u8]) {
    let (answer, queued) = FUNCTION.with(|function| function.deliver(body));
    match (answer.status, queued.as_slice()) {
        (202, []) => assert!(body.len() <= LONGEST_BODY && says_nothing(body)),
        (202, [message]) => assert_queued(body, message),
        (400, []) => assert_refused(body, &answer),
        (413, []) => assert!(body.len() > LONGEST_BODY),
        (status, queued) => panic!("{status} and {} messages", queued.len()),
    }
}

fn assert_queued(body: &[u8], message: &str) {
    let text = std::str::from_utf8(body).expect("only text is queued");
    assert_eq!(read(text), Ok(()));
    // SQS takes 1 MiB, and some characters as escapes only.
    assert!(message.len() <= 2 * body.len() + 1_000);
    let Ok(Task::Webhook(delivery)) = Task::parse(message) else {
        panic!("a webhook is queued as one: {message}")
    };
    assert_eq!(
        without_escapes(delivery.body.get()),
        without_escapes(text.trim())
    );

    let sent = Webhook::parse(text).expect("a webhook");
    let again = Webhook::parse(delivery.body.get()).expect("a webhook");
    assert_eq!(delivery.webhook, again);
    assert_eq!((sent.declared(), sent.failure(), sent.consent()), {
        let webhook = &delivery.webhook;
        (webhook.declared(), webhook.failure(), webhook.consent())
    });
    assert_eq!((&sent.code, &sent.link), (&again.code, &again.link));
}

/// The text with the two characters that SQS takes as escapes only as they are.
fn without_escapes(text: &str) -> String {
    let text = text.replace("\\ufffe", "\u{fffe}");
    text.replace("\\uffff", "\u{ffff}")
}

fn assert_refused(body: &[u8], answer: &Answer) {
    assert_eq!(answer.kind(), Some("invalid-webhook"), "{}", answer.body);
    match std::str::from_utf8(body) {
        Ok(text) => assert_eq!(Err(answer.field()), read(text)),
        Err(_) => assert_eq!(answer.field(), None),
    }
}

/// Whether this is a webhook; if not, which field is wrong, or none if there are no fields.
fn read(text: &str) -> Result<(), Option<&'static str>> {
    let fields = slow::Fields::of(text).ok_or(None)?;
    let is_name = |text: &String| (1..=LONGEST_NAME).contains(&text.chars().count());
    let is_right = |name| match fields.text(name) {
        Some(id) if name == "link_id" => is_uuid(&id),
        text => text.as_ref().is_some_and(is_name),
    };
    let mut names = ["webhook_type", "webhook_code", "link_id"].into_iter();
    match names.find(|name| !is_right(name)) {
        Some(name) => Err(Some(name)),
        None => Ok(()),
    }
}

/// Whether a text is a UUID in any case, with or without dashes.
fn is_uuid(text: &str) -> bool {
    let is_dash = |place: usize| text.len() == 36 && [8, 13, 18, 23].contains(&place);
    let is_right = |(place, byte): (usize, u8)| {
        if is_dash(place) {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    };
    matches!(text.len(), 32 | 36) && text.bytes().enumerate().all(is_right)
}

fn says_nothing(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).expect("ASCII");
    let shown: String = text.split_ascii_whitespace().collect();
    shown.is_empty() || shown == "{}"
}
