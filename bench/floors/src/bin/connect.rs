//! Opens the connections that `collect` opens in INIT, reads the secret that it reads, and answers
//! every event with 202: the least that starts with Belvo's keys at hand and DynamoDB in reach.
//!
//! Without the AWS SDK: the one request is signed by aws-sigv4 and sent by hyper, which the runtime
//! uses anyway. Both connections are opened at once, as `collect` does. The one to DynamoDB carries
//! no request: the SDK needs one to open it, and this does not.

use std::{sync::Arc, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use floors::{trusting_amazon, variable};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Uri, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A connection with or without TLS.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// What AWS is reached by.
struct Endpoint {
    uri: Uri,
    /// `None` for plain HTTP.
    tls: Option<Arc<ClientConfig>>,
}

/// The answer to `GetSecretValue`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    secret_string: String,
}

/// The JSON document in the secret.
#[derive(Deserialize)]
struct Keys {
    secret_id: String,
    secret_password: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let aws = Endpoint::from_env()?;
    let (keys, _dynamodb) = tokio::try_join!(aws.keys(), aws.connect())?;
    if keys.secret_id.is_empty() || keys.secret_password.is_empty() {
        return Err("the secret has no keys".into());
    }

    let answer = async |_: LambdaEvent<IgnoredAny>| Ok::<_, Error>(json!({ "statusCode": 202 }));
    lambda_runtime::run(service_fn(answer)).await
}

impl Endpoint {
    fn from_env() -> Result<Self, Error> {
        let uri: Uri = variable("AWS_ENDPOINT_URL")?.parse()?;
        let tls = match uri.scheme_str() {
            Some("https") => Some(Arc::new(trusting_amazon()?)),
            _ => None,
        };
        Ok(Self { uri, tls })
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, Error> {
        let host = self.uri.host().ok_or("the endpoint has no host")?;
        let default_port = if self.tls.is_some() { 443 } else { 80 };
        let port = self.uri.port_u16().unwrap_or(default_port);
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let server = ServerName::try_from(host.to_owned())?;
        let tls = TlsConnector::from(Arc::clone(tls));
        Ok(Box::new(tls.connect(server, stream).await?))
    }

    /// Belvo's keys, over a connection that stays open.
    async fn keys(&self) -> Result<Keys, Error> {
        let request = self.get_secret_value()?;
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("Secrets Manager answered {}", answer.status()).into());
        }
        let answer = answer.into_body().collect().await?.to_bytes();
        let secret: Secret = serde_json::from_slice(&answer)?;
        Ok(serde_json::from_str(&secret.secret_string)?)
    }

    /// The signed request (`GetSecretValue`, AWS Secrets Manager API reference).
    fn get_secret_value(&self) -> Result<Request<Full<Bytes>>, Error> {
        let authority = self.uri.authority().ok_or("the endpoint has no host")?;
        let body = json!({ "SecretId": variable("BELVO_SECRET_ARN")? }).to_string();
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
        ];
        let uri = self.uri.to_string();
        let body_to_sign = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", uri, headers.into_iter(), body_to_sign)?;
        let (identity, region) = (credentials()?.into(), variable("AWS_REGION")?);
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name("secretsmanager")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let (instructions, _) = sign(signable, &parameters)?.into_parts();

        let mut request = Request::post("/").header(HOST, authority.as_str());
        for (name, value) in headers.into_iter().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        Ok(request.body(Full::from(body))?)
    }
}

/// Those that Lambda gives a function.
fn credentials() -> Result<Credentials, Error> {
    Ok(Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        variable("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    ))
}
