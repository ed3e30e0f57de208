//! The AWS configuration that all functions share, and the warm-up of their connections.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider,
    identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpClient, SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::{
    env::{EnvError, Environment},
    telemetry::{Call, Shown},
};

/// The authorities that sign for AWS: Amazon Root CA 1 to 4 and Starfield Services G2, in PEM
/// (Amazon Trust Services' repository).
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

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
    // Lambda sets the region ("Lambda environment variables", AWS Lambda developer guide); a local
    // AWS sets the endpoint ("Service-specific endpoints", AWS SDKs and tools reference guide).
    let environment = Environment::of_process();
    let region = environment.text("AWS_REGION")?;
    let endpoint_url = environment.optional("AWS_ENDPOINT_URL");
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls)
        .tls_context(trusting_amazon())
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(budget.attempt)
        .operation_timeout(budget.call)
        .build();
    let http = Recording { http };
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .http_client(http);
    config.set_endpoint_url(endpoint_url);
    Ok(config.build())
}

/// Makes calls that X-Ray is shown.
#[derive(Debug)]
struct Recording<T> {
    http: T,
}

impl HttpClient for Recording<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let http = self.http.http_connector(settings, components);
        SharedHttpConnector::new(Recording { http })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.http.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.http.validate_final_config(components, config)
    }
}

impl HttpConnector for Recording<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let shown = Shown::begin(|| Call::Aws {
            target: target(&request).to_owned(),
        });
        let answer = self.http.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            Shown::end(shown, answer.status().as_u16());
            Ok(answer)
        })
    }
}

/// The operation that a request is for.
fn target(request: &HttpRequest) -> &str {
    request.headers().get("x-amz-target").unwrap_or_default()
}

fn trusting_amazon() -> TlsContext {
    #[cfg_attr(
        not(feature = "measured"),
        expect(unused_mut, reason = "only a measured function trusts more")
    )]
    let mut trusted = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    #[cfg(feature = "measured")]
    trusted.add_pem_certificate(bench_authority());
    #[expect(
        clippy::expect_used,
        reason = "none of this can fail; the unit test below runs this line"
    )]
    TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .expect("a trust store")
}

/// The PEM certificate of the authority that a benchmark also trusts; empty if the benchmark does
/// not use TLS.
#[cfg(feature = "measured")]
pub(crate) fn bench_authority() -> Vec<u8> {
    Environment::of_process()
        .optional("BENCH_AUTHORITY")
        .and_then(|file| std::fs::read(file).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustls::{
        RootCertStore,
        pki_types::{CertificateDer, pem::PemObject},
    };

    use super::*;

    #[test]
    fn amazons_roots_can_be_read() {
        let _ = trusting_amazon();
        let roots: Vec<_> = CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(
            RootCertStore::empty().add_parsable_certificates(roots),
            (5, 0)
        );
    }

    #[test]
    fn amazons_roots_are_among_mozillas() {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(
            CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes()).flatten(),
        );
        for root in &roots.roots {
            assert!(webpki_roots::TLS_SERVER_ROOTS.contains(root), "{root:?}");
        }
    }
}
