//! Signature version 4, which the API's IAM-authorised routes and AWS ask for.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use reqwest::Request;
use shared::aws::SdkConfig;

/// Adds the header fields that sign the request with the credentials of `aws`.
pub(crate) async fn signed(aws: &SdkConfig, service: &str, mut request: Request) -> Request {
    let credentials = aws
        .credentials_provider()
        .unwrap()
        .provide_credentials()
        .await
        .unwrap();
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(aws.region().unwrap().as_ref())
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let body = request
        .body()
        .and_then(reqwest::Body::as_bytes)
        .unwrap_or_default()
        .to_vec();
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        std::iter::empty(),
        SignableBody::Bytes(&body),
    );
    let (instructions, _) = sign(signable.unwrap(), &parameters).unwrap().into_parts();
    for (name, value) in instructions.headers() {
        request.headers_mut().insert(
            name.parse::<reqwest::header::HeaderName>().unwrap(),
            value.parse().unwrap(),
        );
    }
    request
}
