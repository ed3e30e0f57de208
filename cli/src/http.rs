//! The HTTP client for everything that is not an AWS SDK's.

use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{CliError, error::OrFail};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// API Gateway waits 30 seconds for a function.
const TIMEOUT: Duration = Duration::from_secs(35);

/// A client with TLS by ring and Mozilla's roots (docs/decisions/0004) that follows no redirect:
/// what is sent is signed, or carries keys. What is on this machine is reached without a proxy.
pub(crate) fn client(origin: &str) -> Result<reqwest::Client, CliError> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .or_fail("prepare TLS", "")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = reqwest::Client::builder();
    let builder = if origin.starts_with("http://") {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .build()
        .or_fail("prepare HTTP", "")
}
