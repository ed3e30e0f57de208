//! TLS as our functions speak it: rustls with ring, and the same authorities.

use std::{fs, sync::Arc};

use lambda_runtime::Error;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::variable;

/// Those that our functions trust where they call AWS.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../../shared/src/amazon-roots.pem");

/// For connections to AWS.
pub fn trusting_amazon() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    trust(&mut roots, AMAZON_ROOTS);
    config(roots)
}

/// For connections to Belvo.
pub fn trusting_mozilla() -> Result<ClientConfig, Error> {
    config(RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    })
}

fn config(mut roots: RootCertStore) -> Result<ClientConfig, Error> {
    if let Ok(file) = variable("BENCH_AUTHORITY") {
        trust(&mut roots, &fs::read(file)?);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Trusts the authorities in a PEM file, too.
fn trust(roots: &mut RootCertStore, pem: &[u8]) {
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
}
