//! The environment of the functions and of what looks at them: the settings of template.yaml, with
//! short waits, and the addresses of what is simulated.

use std::time::Duration;

use test_harness::{
    REQUESTS_TABLE, TRANSACTIONS_TABLE,
    aws::secrets::{AUTHORIZATION, BELVO_SECRET, WEBHOOK_SECRET},
};

/// Noon of 2026-03-10, since 1970: windows of up to a year lie before it.
pub(crate) const BEGAN: Duration = Duration::from_hours(492_540);

/// Amazon's APIs.
pub(crate) const AWS: &str = "127.0.0.1:1";
/// Belvo's API.
pub(crate) const BELVO: &str = "127.0.0.1:2";
/// The pipeline's own API.
pub(crate) const API: &str = "127.0.0.1:3";
/// A host that has nothing to do with any of this.
pub(crate) const STRANGER: &str = "127.0.0.1:4";

const QUEUE_URL: &str = "http://127.0.0.1:1/000000000000/notifications.fifo";
const DEAD_LETTER_QUEUE_URL: &str = "http://127.0.0.1:1/000000000000/dead-letters.fifo";

/// Receives after which a message is dead-lettered.
pub(crate) const ATTEMPTS: u32 = 4;
/// Seconds after which a request is checked.
pub(crate) const REQUEST_DUE_S: u64 = 150;
/// Seconds after which one expires.
pub(crate) const REQUEST_EXPIRES_S: u64 = 900;
/// Retrievals of a month that go back six days or more: few, so that runs want more.
pub(crate) const LONG_RETRIEVALS: u32 = 2;
/// All others, of which a run has none.
const SHORT_RETRIEVALS: u32 = 0;

/// The variables of the process.
pub(crate) fn variables() -> Vec<(&'static str, String)> {
    let texts = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "simulated"),
        ("AWS_SECRET_ACCESS_KEY", "simulated"),
        ("ACK_STATUS", "202"),
        ("ALLOWED_SOURCE_IPS", ""),
        ("BELVO_CALLS_PER_30_S", "30"),
        ("BELVO_SECRET_ARN", BELVO_SECRET),
        ("CHANGES_DAYS", "90"),
        ("COMPANY_ICON_URL", "https://acme.example/icon.svg"),
        ("COMPANY_LOGO_URL", "https://acme.example/logo.svg"),
        ("COMPANY_NAME", "ACME"),
        ("COMPANY_TERMS_URL", "https://acme.example/terms"),
        ("CONSENT_PURPOSE", "Advice"),
        ("DEAD_LETTER_QUEUE_URL", DEAD_LETTER_QUEUE_URL),
        ("EVENTS_QUEUE_URL", ""),
        ("EVENT_BUS_NAME", "simulated"),
        ("LONGEST_RETRY_S", "30"),
        ("QUEUE_URL", QUEUE_URL),
        ("REQUESTS_TABLE", REQUESTS_TABLE),
        ("REQUEST_RETENTION_DAYS", "90"),
        ("SCRUB_DAYS", "1"),
        ("STALE_IN_DAYS", "365"),
        ("TRANSACTIONS_TABLE", TRANSACTIONS_TABLE),
        ("UNKNOWN_LINKS", "collect"),
        ("WEBHOOK_AUTHORIZATION", AUTHORIZATION),
        ("WEBHOOK_RETENTION_DAYS", "90"),
        ("WEBHOOK_SECRET_ARN", WEBHOOK_SECRET),
    ];
    let numbers = [
        ("ATTEMPTS", u64::from(ATTEMPTS)),
        ("LONG_RETRIEVALS_PER_MONTH", LONG_RETRIEVALS.into()),
        ("REQUEST_DUE_S", REQUEST_DUE_S),
        ("REQUEST_EXPIRES_S", REQUEST_EXPIRES_S),
        ("SHORT_RETRIEVALS_PER_MONTH", SHORT_RETRIEVALS.into()),
    ];
    let addresses = [
        ("API_URL", API, ""),
        ("AWS_ENDPOINT_URL", AWS, ""),
        ("BELVO_BASE_URL", BELVO, ""),
        ("SANDBOX_URL", BELVO, ""),
        ("WIDGET_URL", BELVO, "/widget/"),
    ];
    let texts = texts.map(|(name, text)| (name, text.to_owned()));
    let numbers = numbers.map(|(name, number)| (name, number.to_string()));
    let addresses = addresses.map(|(name, host, path)| (name, format!("http://{host}{path}")));
    texts.into_iter().chain(numbers).chain(addresses).collect()
}
