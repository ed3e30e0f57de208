//! The sandbox as a program: `belvo-sandbox --port 8081`. The first line on standard output is JSON
//! with the URL.

use std::{io::Write, num::NonZeroU32};

use belvo_sandbox::{Config, Webhook, start};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A fake of Belvo's API on 127.0.0.1 that misbehaves on demand.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, env = "BELVO_SANDBOX_PORT", default_value_t = 0)]
    port: u16,
    /// Seed of all generated data.
    #[arg(long, env = "BELVO_SANDBOX_SEED", default_value_t = 1)]
    seed: u64,
    /// User name of Basic authentication.
    #[arg(long, env = "BELVO_SANDBOX_SECRET_ID", default_value = "sandbox-id")]
    secret_id: String,
    /// Password of Basic authentication.
    #[arg(
        long,
        env = "BELVO_SANDBOX_SECRET_PASSWORD",
        default_value = "sandbox-password",
        hide_env_values = true
    )]
    secret_password: String,
    /// Receiver of webhooks; can be registered later through the control API.
    #[arg(long, env = "BELVO_SANDBOX_WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// The whole `Authorization` value of webhooks.
    #[arg(
        long,
        env = "BELVO_SANDBOX_WEBHOOK_AUTHORIZATION",
        hide_env_values = true
    )]
    webhook_authorization: Option<String>,
    /// Time between the 202 and the webhook.
    #[arg(long, env = "BELVO_SANDBOX_WEBHOOK_DELAY_MS", default_value_t = 50)]
    webhook_delay_ms: u64,
    /// Time the receiver has to answer.
    #[arg(
        long,
        env = "BELVO_SANDBOX_WEBHOOK_TIMEOUT_MS",
        default_value_t = 5_000
    )]
    webhook_timeout_ms: u64,
    /// Time between two attempts of one webhook.
    #[arg(long, env = "BELVO_SANDBOX_WEBHOOK_RETRY_MS", default_value_t = 60_000)]
    webhook_retry_ms: u64,
    /// Attempts per webhook, including the first.
    #[arg(long, env = "BELVO_SANDBOX_WEBHOOK_ATTEMPTS", default_value_t = 4)]
    webhook_attempts: u32,
    /// Rows per page if the request does not say.
    #[arg(long, env = "BELVO_SANDBOX_PAGE_SIZE", default_value_t = 100)]
    page_size: usize,
    /// Limit that larger page sizes are silently reduced to.
    #[arg(long, env = "BELVO_SANDBOX_MAX_PAGE_SIZE", default_value_t = 1_000)]
    max_page_size: usize,
    /// Requests of the API in any 30 seconds, above which the firewall answers; 0 for no limit.
    #[arg(long, env = "BELVO_SANDBOX_REQUESTS_PER_30_S", default_value_t = 80)]
    requests_per_30_s: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    init_log();
    let arguments = Arguments::parse();
    // Before the sandbox starts, so that no signal is missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let sandbox = start(arguments.into()).await?;
    announce(sandbox.url())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sandbox.stop().await
}

/// Logs to standard error: standard output is for the URL alone.
fn init_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Prints the URL, as JSON for the program that started the sandbox and as text for a human.
fn announce(url: &str) -> std::io::Result<()> {
    let line = serde_json::json!({ "url": url });
    writeln!(std::io::stdout(), "{line}")?;
    writeln!(
        std::io::stderr(),
        "Belvo sandbox at {url}, control API under /_control/."
    )
}

impl From<Arguments> for Config {
    fn from(arguments: Arguments) -> Self {
        let authorization = arguments.webhook_authorization;
        let webhook = arguments.webhook_url;
        Self {
            port: arguments.port,
            seed: arguments.seed,
            secret_id: arguments.secret_id,
            secret_password: arguments.secret_password,
            webhook: webhook.map(|url| Webhook { url, authorization }),
            webhook_delay_ms: arguments.webhook_delay_ms,
            webhook_timeout_ms: arguments.webhook_timeout_ms,
            webhook_retry_ms: arguments.webhook_retry_ms,
            webhook_attempts: arguments.webhook_attempts,
            page_size: arguments.page_size,
            max_page_size: arguments.max_page_size,
            requests_per_30_s: NonZeroU32::new(arguments.requests_per_30_s),
            ..Self::default()
        }
    }
}
