//! The AWS configuration that all functions share, and the warm-up of their connections.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// How long one call to AWS may take, its retries included, and one attempt of it.
#[derive(Debug, Clone, Copy)]
pub struct CallBudget {
    /// All attempts together.
    pub call: Duration,
    /// One attempt.
    pub attempt: Duration,
}

impl CallBudget {
    /// For functions that nobody waits for by the second.
    pub const PATIENT: Self = Self { call: Duration::from_secs(8), attempt: Duration::from_secs(3) };
    /// For functions whose caller waits.
    pub const PROMPT: Self = Self { call: Duration::from_secs(3), attempt: Duration::from_secs(1) };
    /// For the webhook: Belvo gives up after five seconds.
    pub const WEBHOOK: Self = Self { call: Duration::from_millis(3_200), attempt: Duration::from_secs(1) };
}

/// The longest a warm-up takes. INIT has ten seconds, and a webhook that waits for it five, all told.
const WARM_UP: Duration = Duration::from_secs(1);

/// Runs what opens connections and reads secrets during INIT. What fails or takes too long here shows again, with its
/// reason, when it is needed.
pub async fn warm_up(opening: impl Future) {
    let _ = tokio::time::timeout(WARM_UP, opening).await;
}

/// The configuration of every AWS client: credentials, region and endpoint from the environment as the SDK documents
/// them, TLS by ring (docs/decisions/0004).
pub async fn sdk_config(budget: CallBudget) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(budget.attempt)
        .operation_timeout(budget.call)
        .build();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts).load().await
}
