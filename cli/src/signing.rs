//! Signature version 4, which the API's IAM-authorised routes ask for.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use reqwest::{
    Request,
    header::{HeaderName, HeaderValue},
};
use tokio::sync::Mutex;

use crate::{CliError, error::OrFail};

type Cause = Box<dyn Error + Send + Sync>;

/// Credentials are asked for again this long before they expire.
const MARGIN: Duration = Duration::from_mins(1);

/// Signs requests in the caller's name.
pub(crate) struct Signer {
    aws: SdkConfig,
    /// A role is assumed, and a session of SSO read, once and not for each request.
    credentials: Mutex<Option<Credentials>>,
}

impl Signer {
    pub(crate) fn new(aws: SdkConfig) -> Self {
        Self {
            aws,
            credentials: Mutex::new(None),
        }
    }

    /// Adds the header fields that sign the request for this service.
    pub(crate) async fn sign(&self, service: &str, request: Request) -> Result<Request, CliError> {
        let credentials = self.credentials().await?;
        let region = self.aws.region().ok_or_else(no_region)?.to_string();
        let signed = signed(credentials, &region, service, request);
        signed.or_fail("sign a request", "Is this machine's clock right?")
    }

    async fn credentials(&self) -> Result<Credentials, CliError> {
        let mut known = self.credentials.lock().await;
        if let Some(credentials) = known.as_ref().filter(|known| is_good(known)) {
            return Ok(credentials.clone());
        }
        let provider = self.aws.credentials_provider().ok_or_else(no_credentials)?;
        let fresh = provider.provide_credentials().await;
        let fresh = fresh.or_fail("find AWS credentials", SIGN_IN)?;
        Ok(known.insert(fresh).clone())
    }
}

const SIGN_IN: &str = "Sign in as for the AWS CLI (`aws sso login`, `aws configure`), or name a \
                       profile with --profile.";

fn no_credentials() -> CliError {
    CliError::usage("there are no AWS credentials", SIGN_IN)
}

fn no_region() -> CliError {
    CliError::usage(
        "no AWS region is configured",
        "Name the region of the stack with --region.",
    )
}

fn is_good(credentials: &Credentials) -> bool {
    let expiry = credentials.expiry();
    expiry.is_none_or(|expiry| SystemTime::now() + MARGIN < expiry)
}

fn signed(
    credentials: Credentials,
    region: &str,
    service: &str,
    mut request: Request,
) -> Result<Request, Cause> {
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let body = request.body().and_then(reqwest::Body::as_bytes);
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        std::iter::empty(),
        SignableBody::Bytes(body.unwrap_or_default()),
    )?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::try_from(name)?;
        request
            .headers_mut()
            .insert(name, HeaderValue::try_from(value)?);
    }
    Ok(request)
}
