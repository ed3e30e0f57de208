//! The AWS configuration that all functions share, and the warm-up of their connections.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider,
    identity::IdentityCache, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::HttpError,
};
use aws_smithy_types::body::SdkBody;
use lambda_http::http::Response;
use reqwest::{ClientBuilder, Request, redirect};

use crate::{
    env::{EnvError, Environment},
    telemetry::{Call, Shown},
    tls::trusting_amazon,
};

/// How long one call to AWS may take with its retries, and how long each attempt may take.
#[derive(Debug, Clone, Copy)]
pub struct CallBudget {
    /// The whole call, retries included.
    pub call: Duration,
    pub attempt: Duration,
}

impl CallBudget {
    /// For functions without a waiting caller.
    pub const PATIENT: Self = Self {
        call: Duration::from_secs(8),
        attempt: Duration::from_secs(3),
    };
    /// For functions whose caller waits.
    pub const PROMPT: Self = Self {
        call: Duration::from_secs(3),
        attempt: Duration::from_secs(1),
    };
}

/// Time for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest a warm-up may take. INIT has ten seconds; a webhook that waits for it has five in
/// total.
const WARM_UP: Duration = Duration::from_secs(1);

/// Opens connections and reads secrets during INIT. A failure or timeout is ignored here: it shows
/// again, with its reason, when the connection or secret is needed.
pub async fn warm_up(opening: impl Future) {
    let _ = tokio::time::timeout(WARM_UP, opening).await;
}

/// The configuration of every AWS client: credentials, region and endpoint from the variables that
/// Lambda sets, and from nowhere else (docs/decisions/0014); TLS by ring (docs/decisions/0004),
/// which trusts Amazon's authorities and no others (docs/decisions/0015).
pub fn sdk_config(budget: CallBudget) -> Result<SdkConfig, EnvError> {
    sdk_config_over(ClientBuilder::new(), budget)
}

/// The same, where connections lead as in this builder: a simulation gives one that leads to the
/// servers in its own process.
pub fn sdk_config_over(
    connections: ClientBuilder,
    budget: CallBudget,
) -> Result<SdkConfig, EnvError> {
    // Lambda sets the region ("Lambda environment variables", AWS Lambda developer guide); a local
    // AWS sets the endpoint ("Service-specific endpoints", AWS SDKs and tools reference guide).
    let environment = Environment::of_process();
    let region = environment.text("AWS_REGION")?;
    let endpoint_url = environment.optional("AWS_ENDPOINT_URL");
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(budget.attempt)
        .operation_timeout(budget.call)
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        // A time-out of each attempt says more than how fast its bytes come.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(Http::over(connections));
    config.set_endpoint_url(endpoint_url);
    Ok(config.build())
}

/// Makes the calls of every client, over connections that all of them share, and shows them to
/// X-Ray. It is the HTTP client with which Belvo is called: a second one would be a twentieth of a
/// function's program (docs/decisions/0048).
#[derive(Debug, Clone)]
struct Http(reqwest::Client);

impl Http {
    fn over(connections: ClientBuilder) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "none of this can fail; the unit test below runs this line"
        )]
        let client = connections
            .tls_backend_preconfigured(trusting_amazon())
            .redirect(redirect::Policy::none())
            .no_proxy()
            // Unlike Belvo's, AWS's answers are small, and near.
            .no_gzip()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .expect("a client");
        Self(client)
    }

    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x();
        let request = request.map_err(|error| ConnectorError::user(error.into()))?;
        let request = Request::try_from(request.map(reqwest::Body::wrap)).map_err(failed)?;
        let answer = self.0.execute(request).await.map_err(failed)?;
        let answer = Response::from(answer).map(SdkBody::from_body_1_x);
        answer
            .try_into()
            .map_err(|error: HttpError| ConnectorError::other(error.into(), None))
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let shown = Shown::begin(|| Call::Aws {
            target: target(&request).to_owned(),
        });
        let answer = self.clone().answer(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            Shown::end(shown, answer.status().as_u16());
            Ok(answer)
        })
    }
}

/// Why there is no answer, in the words by which the SDK decides whether to try again.
fn failed(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

/// The operation that a request is for.
fn target(request: &HttpRequest) -> &str {
    request.headers().get("x-amz-target").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_can_be_built() {
        let _ = Http::over(ClientBuilder::new());
    }
}
