//! What stands between a function and a server: a forwarder that counts what crosses it, and speaks
//! TLS if it is asked to, with a certificate made for the run.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

/// How long a connection may take to end after its function has ended.
const END: Duration = Duration::from_secs(10);

/// What crossed a front, TLS taken off.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Connections of which it is not known what crossed them.
    #[serde(skip)]
    broken: u64,
}

/// A running forwarder.
pub(crate) struct Front {
    pub(crate) url: String,
    traffic: Arc<Mutex<Traffic>>,
    open: watch::Sender<usize>,
}

impl Front {
    /// Forwards to a plain server of this machine.
    pub(crate) async fn of(
        upstream: SocketAddr,
        tls: Option<&TlsAcceptor>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let (traffic, open) = (Arc::<Mutex<Traffic>>::default(), watch::Sender::new(0));
        let front = Self {
            url,
            traffic: Arc::clone(&traffic),
            open: open.clone(),
        };
        let tls = tls.cloned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                open.send_modify(|open| *open += 1);
                let (traffic, open, tls) = (Arc::clone(&traffic), open.clone(), tls.clone());
                tokio::spawn(async move {
                    let _ = client.set_nodelay(true);
                    let crossed = match tls {
                        Some(tls) => match tls.accept(client).await {
                            Ok(client) => forward(client, upstream).await,
                            Err(error) => Err(error),
                        },
                        None => forward(client, upstream).await,
                    };
                    let mut traffic = traffic.lock().unwrap_or_else(PoisonError::into_inner);
                    traffic.connections += 1;
                    match crossed {
                        Ok((sent, received)) => {
                            traffic.bytes_sent += sent;
                            traffic.bytes_received += received;
                        }
                        Err(_) => traffic.broken += 1,
                    }
                    open.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(front)
    }

    /// What crossed since the last time, once every connection has ended, which is when the
    /// function has.
    pub(crate) async fn take(&self) -> anyhow::Result<Traffic> {
        tokio::time::timeout(END, self.open.subscribe().wait_for(|open| *open == 0)).await??;
        let traffic =
            std::mem::take(&mut *self.traffic.lock().unwrap_or_else(PoisonError::into_inner));
        ensure!(
            traffic.broken == 0,
            "{} connections broke, and what crossed them is not known",
            traffic.broken
        );
        Ok(traffic)
    }
}

/// Copies both ways until both have ended, and returns how much was sent and received.
async fn forward(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: SocketAddr,
) -> std::io::Result<(u64, u64)> {
    let mut server = TcpStream::connect(upstream).await?;
    let _ = server.set_nodelay(true);
    copy_bidirectional(&mut client, &mut server).await
}

/// Where distributions keep the certificates that they trust: Debian and its kin, and Fedora's,
/// which Lambda's is of.
const SYSTEM_CERTIFICATES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// Makes a certificate for 127.0.0.1, and writes that of its authority, in PEM, to two files:
/// alone, and behind all that the system trusts, which a client that trusts the system has to read
/// in production, too.
pub(crate) fn tls(authority_file: &Path, bundle_file: &Path) -> anyhow::Result<TlsAcceptor> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(vec![])?;
    // OpenSSL takes a certificate that is named like its issuer for one that has signed itself, and
    // Python asks for the rest since 3.13.
    authority
        .distinguished_name
        .push(DnType::CommonName, "authority of the benchmark");
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key)?.pem();
    let mut bundle = SYSTEM_CERTIFICATES
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .context("the certificates that this machine trusts are not found (Debian: apt install ca-certificates)")?;
    bundle.push_str(&certificate);
    std::fs::write(authority_file, certificate)?;
    std::fs::write(bundle_file, bundle)?;
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let mut certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    certificate.use_authority_key_identifier_extension = true;
    let certificate = certificate.signed_by(&key, &issuer)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
