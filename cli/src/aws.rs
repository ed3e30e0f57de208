//! The caller's AWS credentials: as the AWS CLI takes them, with SSO, profiles and roles.

use std::error::Error;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::place::Place;

/// The configuration of every AWS client. TLS by ring, as everywhere else (docs/decisions/0004).
pub(crate) async fn sdk_config(place: &Place) -> SdkConfig {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls)
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    let loader = match place {
        Place::Local(local) => loader
            .endpoint_url(&local.endpoint)
            .region(Region::new(local.region.clone()))
            .credentials_provider(Credentials::new(
                &local.access_key,
                &local.secret_key,
                None,
                None,
                "the local stack",
            )),
        Place::Deployed {
            region, profile, ..
        } => {
            let loader = match region {
                Some(region) => loader.region(Region::new(region.clone())),
                None => loader,
            };
            match profile {
                Some(profile) => loader.profile_name(profile),
                None => loader,
            }
        }
    };
    loader.load().await
}

/// What AWS says about a failed call; where AWS said nothing, what kept the call from it.
#[expect(clippy::needless_pass_by_value, reason = "called by `map_err`")]
pub(crate) fn said<E: ProvideErrorMetadata + Error + 'static>(error: SdkError<E>) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no reason"));
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
