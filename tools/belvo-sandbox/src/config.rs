//! The settings of a sandbox. The defaults are Belvo's own figures where Belvo publishes them, but
//! there is no firewall.

use std::num::NonZeroU32;

/// Settings of one sandbox. `Config::default()` listens on a free port and has no webhook
/// registered.
#[derive(Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Seed of all generated data: the same seed and the same calls give the same bytes.
    pub seed: u64,
    /// User name of Basic authentication.
    pub secret_id: String,
    /// Password of Basic authentication.
    pub secret_password: String,
    /// Receiver of webhooks; `None` until one is registered through the control API.
    pub webhook: Option<Webhook>,
    /// Time between the 202 and the webhook, in milliseconds.
    pub webhook_delay_ms: u64,
    /// Time the receiver has to answer, in milliseconds. Belvo: five seconds.
    pub webhook_timeout_ms: u64,
    /// Time between two attempts of one delivery, in milliseconds. Belvo: 60 seconds.
    pub webhook_retry_ms: u64,
    /// Attempts per delivery, including the first. Belvo: four.
    pub webhook_attempts: u32,
    /// Rows per page if the request does not say. Belvo: 100, and 10 in its own sandbox.
    pub page_size: usize,
    /// Limit that larger page sizes are silently reduced to. Belvo: 1,000.
    pub max_page_size: usize,
    /// Requests of the API in any 30 seconds, above which the firewall answers. Belvo: 80, which is
    /// the default of the program; here it is `None`, no limit, because a test may send more.
    pub requests_per_30_s: Option<NonZeroU32>,
    /// Scheme of the links between pages: `https` if a proxy in front of the sandbox speaks TLS.
    pub scheme: &'static str,
}

/// The receiver of webhooks, as registered in Belvo's dashboard.
#[derive(Clone)]
pub struct Webhook {
    /// The address of the receiver.
    pub url: String,
    /// The whole value of the `Authorization` header, if one is registered.
    pub authorization: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            secret_id: "sandbox-id".to_owned(),
            secret_password: "sandbox-password".to_owned(),
            webhook: None,
            webhook_delay_ms: 50,
            webhook_timeout_ms: 5_000,
            webhook_retry_ms: 60_000,
            webhook_attempts: 4,
            page_size: 100,
            max_page_size: 1_000,
            requests_per_30_s: None,
            scheme: "http",
        }
    }
}
