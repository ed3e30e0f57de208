//! TLS as our functions speak it: rustls with ring, and the same authorities.

use std::{fs, sync::Arc};

use lambda_runtime::Error;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, TrustAnchor, pem::PemObject},
};
use webpki_roots::TLS_SERVER_ROOTS;

use crate::variable;

/// What the names of those have in them that our functions trust where they call AWS.
const AMAZONS: [&[u8]; 2] = [b"Amazon Root CA ", b"Starfield Services Root "];

/// For connections to AWS.
pub fn trusting_amazon() -> Result<ClientConfig, Error> {
    let is_amazons = |root: &&TrustAnchor<'_>| {
        let has = |name: &[u8]| root.subject.windows(name.len()).any(|part| part == name);
        AMAZONS.into_iter().any(has)
    };
    let roots = TLS_SERVER_ROOTS.iter().filter(is_amazons).cloned();
    config(RootCertStore {
        roots: roots.collect(),
    })
}

/// For connections to Belvo.
pub fn trusting_mozilla() -> Result<ClientConfig, Error> {
    config(RootCertStore {
        roots: TLS_SERVER_ROOTS.to_vec(),
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
