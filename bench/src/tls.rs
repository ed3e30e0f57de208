//! TLS with a certificate made for the run.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

/// Where distributions keep the certificates they trust: Debian and its derivatives, then Fedora,
/// from which Lambda's Amazon Linux descends.
const SYSTEM_CERTIFICATES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// Makes a certificate for 127.0.0.1 and writes the certificate of its authority, as PEM, to two
/// files: alone, and appended to everything the system trusts. A client that trusts the system has
/// to read all of that in production, too.
pub(crate) fn acceptor(authority_file: &Path, bundle_file: &Path) -> anyhow::Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let params = authority()?;
    let certificate = params.self_signed(&key)?.pem();

    let bundle = system_certificates()? + &certificate;
    fs::write(authority_file, certificate)?;
    fs::write(bundle_file, bundle)?;

    let config = server_config(&Issuer::new(params, key))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn authority() -> anyhow::Result<CertificateParams> {
    let mut authority = CertificateParams::new(vec![])?;
    // OpenSSL takes a certificate whose subject equals its issuer for a self-signed one.
    authority
        .distinguished_name
        .push(DnType::CommonName, "authority of the benchmark");
    // Python insists on a key usage since 3.13.
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(authority)
}

fn system_certificates() -> anyhow::Result<String> {
    SYSTEM_CERTIFICATES
        .iter()
        .find_map(|file| fs::read_to_string(file).ok())
        .context("no system certificates found (Debian: apt install ca-certificates)")
}

/// A server with a fresh certificate of this authority.
fn server_config(authority: &Issuer<'_, KeyPair>) -> anyhow::Result<ServerConfig> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    // The other extension that Python insists on since 3.13.
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, authority)?;

    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
    Ok(config)
}
