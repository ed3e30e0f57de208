//! What a sandbox is started with. The defaults are Belvo's own figures where Belvo publishes one.

/// Settings of one sandbox; `Config::default()` is a Belvo without a registered webhook on a free
/// port.
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
    /// Where webhooks go; `None` until one is registered through the control API.
    pub webhook: Option<Webhook>,
    /// From the 202 to the webhook, in milliseconds.
    pub webhook_delay_ms: u64,
    /// How long the receiver may take, in milliseconds. Belvo: five seconds.
    pub webhook_timeout_ms: u64,
    /// Between two attempts of one delivery, in milliseconds. Belvo: 60 seconds.
    pub webhook_retry_ms: u64,
    /// Attempts in all. Belvo: one and three retries.
    pub webhook_attempts: u32,
    /// Rows of a page when the caller does not say. Belvo: 100 (10 in its own sandbox).
    pub page_size: usize,
    /// Larger page sizes silently become this one. Belvo: 1,000.
    pub max_page_size: usize,
    /// How callers reach it: `https` behind a front that speaks TLS for it. The addresses of
    /// further pages start so.
    pub scheme: &'static str,
}

/// The receiver of webhooks, as typed into Belvo's dashboard.
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
            scheme: "http",
        }
    }
}
