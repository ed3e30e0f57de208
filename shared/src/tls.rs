//! TLS for calls of AWS and of Belvo: by ring, because aws-lc would spend 55 ms of CPU on the first
//! handshake (docs/decisions/0004).

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::TrustAnchor};
use webpki_roots::TLS_SERVER_ROOTS;

/// What the names of the authorities that sign for AWS have in them: Amazon Root CA 1 to 4, and
/// Starfield Services Root G2 (Amazon Trust Services' repository).
const AMAZONS: [&[u8]; 2] = [
    b"Amazon Root CA ",
    b"Starfield Services Root Certificate Authority - G2",
];

/// Trusts the authorities that sign for AWS, and no others (docs/decisions/0015).
pub(crate) fn trusting_amazon() -> ClientConfig {
    trusting(amazons_roots())
}

/// Trusts Mozilla's authorities. Reading those of the system would take 3 ms.
pub(crate) fn trusting_mozilla() -> ClientConfig {
    trusting(TLS_SERVER_ROOTS.to_vec())
}

fn amazons_roots() -> Vec<TrustAnchor<'static>> {
    let is_amazons = |root: &&TrustAnchor<'_>| AMAZONS.iter().any(|name| has(&root.subject, name));
    TLS_SERVER_ROOTS
        .iter()
        .filter(is_amazons)
        .cloned()
        .collect()
}

/// Whether a name in DER has this text in it.
fn has(name: &[u8], text: &[u8]) -> bool {
    name.windows(text.len()).any(|part| part == text)
}

fn trusting(roots: Vec<TrustAnchor<'static>>) -> ClientConfig {
    #[cfg_attr(
        not(feature = "measured"),
        expect(unused_mut, reason = "only a measured function trusts more")
    )]
    let mut roots = RootCertStore { roots };
    #[cfg(feature = "measured")]
    trust_also(&mut roots);
    #[expect(
        clippy::expect_used,
        reason = "ring supports both protocol versions; the unit test below runs this line"
    )]
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Also trusts the authority of a benchmark's own servers, whose PEM certificate is in the file
/// `BENCH_AUTHORITY`, if the benchmark uses TLS.
#[cfg(feature = "measured")]
fn trust_also(roots: &mut RootCertStore) {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let file = crate::env::Environment::of_process().optional("BENCH_AUTHORITY");
    let authority = file.and_then(|file| std::fs::read(file).ok());
    let authority = authority.unwrap_or_default();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&authority).flatten());
}

#[cfg(test)]
mod tests {
    use rustls::ClientConnection;

    use super::*;

    #[test]
    fn amazons_roots_are_five_of_mozillas() {
        let roots = amazons_roots();
        let named = |name: &str| {
            let is_named = |root: &&TrustAnchor<'_>| has(&root.subject, name.as_bytes());
            roots.iter().filter(is_named).count()
        };
        for number in 1..=4 {
            assert_eq!(named(&format!("Amazon Root CA {number}")), 1, "{number}");
        }
        assert_eq!(
            named("Starfield Services Root Certificate Authority - G2"),
            1
        );
        assert_eq!(roots.len(), 5);
    }

    #[test]
    fn servers_are_offered_tls_1_3_and_1_2() {
        for config in [trusting_amazon(), trusting_mozilla()] {
            let server = "sandbox.belvo.com".try_into().unwrap();
            let mut connection = ClientConnection::new(Arc::new(config), server).unwrap();
            let mut hello = Vec::new();
            connection.write_tls(&mut hello).unwrap();

            // The extension `supported_versions` (43), its length, and its list (RFC 8446, 4.2.1).
            let versions = [0, 43, 0, 5, 4, 3, 4, 3, 3];
            assert!(hello.windows(versions.len()).any(|bytes| bytes == versions));
        }
    }
}
