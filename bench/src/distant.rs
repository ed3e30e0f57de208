//! A server as far away and as slow as the real one: it answers over TLS, when the latency that was
//! drawn for the answer has passed, and no faster than the line carries it. The request itself is
//! passed on at once, so that requests are performed in the order in which they were sent, and only
//! the answer is held back, by a timer of a millisecond's resolution in this process.

use std::{
    future::pending,
    io::Write,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, response},
    response::{IntoResponse, Response},
    serve::Listener,
};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::spawn_blocking,
    time::sleep_until,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    latency::{Awaited, Draws},
    waits::{Exchange, Record},
};

/// Round trips before a connection carries its first request: one for TCP and one for TLS 1.3.
const ROUND_TRIPS_TO_CONNECT: u32 = 2;
/// What is sent at a time: a record of TLS.
const CHUNK: usize = 16 * 1_024;
/// The level at which answers are compressed: the quickest. Assumed: Belvo documents none.
const COMPRESSION: u32 = 1;

/// The way to a server.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) round_trip: Duration,
    /// For each answer; `None` if its size does not matter.
    pub(crate) megabits_per_second: Option<f64>,
    /// Whether the server compresses its answers for clients that accept it.
    pub(crate) compresses: bool,
}

impl Line {
    /// How long so many bytes take.
    fn time_for(&self, bytes: usize) -> Duration {
        let bits = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) * 8.0;
        self.megabits_per_second.map_or(Duration::ZERO, |megabits| {
            Duration::from_secs_f64(bits / megabits / 1e6)
        })
    }
}

/// The latencies to be drawn, and what crossed the servers.
#[derive(Clone)]
pub(crate) struct Traffic {
    pub(crate) draws: Arc<Draws>,
    pub(crate) record: Record,
}

/// Stands in front of a plain server on this machine, and returns its own address.
pub(crate) async fn put_before(
    upstream: SocketAddr,
    tls: &TlsAcceptor,
    line: Line,
    traffic: Traffic,
) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (sender, streams) = mpsc::channel(1);
    let gate = Gate {
        tls: tls.clone(),
        line,
        record: traffic.record.clone(),
        opened: sender,
    };
    tokio::spawn(gate.accept(listener));

    let server = Arc::new(Server {
        upstream,
        http: reqwest::Client::builder().no_proxy().no_gzip().build()?,
        line,
        traffic,
    });
    let router = Router::new().fallback(answer).with_state(server);
    let connections = Connections { streams, address };
    tokio::spawn(async move { axum::serve(connections, router).await });
    Ok(format!("https://{address}"))
}

/// Opens connections, each at its own time.
#[derive(Clone)]
struct Gate {
    tls: TlsAcceptor,
    line: Line,
    record: Record,
    opened: mpsc::Sender<TlsStream<TcpStream>>,
}

impl Gate {
    async fn accept(self, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(self.clone().open(client));
        }
    }

    async fn open(self, client: TcpStream) {
        let started = Instant::now();
        let _ = client.set_nodelay(true);
        let due = started + ROUND_TRIPS_TO_CONNECT * self.line.round_trip;
        sleep_until(due.into()).await;
        // A client that goes away before has not waited for anything.
        let Ok(stream) = self.tls.accept(client).await else {
            return;
        };
        self.record.note(Exchange {
            awaited: Awaited::Connection,
            started,
            ended: Instant::now(),
            overdue: Duration::ZERO,
            bytes: 0,
        });
        let _ = self.opened.send(stream).await;
    }
}

/// The opened connections.
struct Connections {
    streams: mpsc::Receiver<TlsStream<TcpStream>>,
    address: SocketAddr,
}

impl Listener for Connections {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.streams.recv().await {
            Some(stream) => (stream, self.address),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

struct Server {
    upstream: SocketAddr,
    http: reqwest::Client,
    line: Line,
    traffic: Traffic,
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let started = Instant::now();
    let awaited = awaited(request.headers());
    let slowness = server.traffic.draws.next(awaited);
    let takes_gzip = takes_gzip(request.headers());
    let answer = server.ask(request).await;
    let (mut parts, body) = match answer {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };

    let due = started + slowness.of_answer(body.len());
    let body = if takes_gzip && server.line.compresses {
        let encoding = HeaderValue::from_static("gzip");
        parts.headers.insert(header::CONTENT_ENCODING, encoding);
        compressed(body).await
    } else {
        body
    };
    parts
        .headers
        .insert(header::CONTENT_LENGTH, body.len().into());
    let ready = Instant::now();
    sleep_until(due.into()).await;
    let sending = Sending {
        exchange: Exchange {
            awaited,
            started,
            ended: due,
            overdue: ready.saturating_duration_since(due),
            bytes: body.len() as u64,
        },
        record: Some(server.traffic.record.clone()),
        line: server.line,
        first: Instant::now(),
        sent: 0,
        body,
    };
    Response::from_parts(parts, sending.into_body())
}

impl Server {
    /// Passes a request on, and returns the answer without the headers that belong to its
    /// connection.
    async fn ask(&self, request: Request) -> anyhow::Result<(response::Parts, Bytes)> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = format!("http://{}{path}", self.upstream);
        let request = self
            .http
            .request(parts.method, url)
            .headers(parts.headers)
            .body(to_bytes(body, usize::MAX).await?);
        let answer = request.send().await?;

        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = answer.status();
        parts.headers = answer.headers().clone();
        parts.headers.remove(header::TRANSFER_ENCODING);
        parts.headers.remove(header::CONNECTION);
        Ok((parts, answer.bytes().await?))
    }
}

/// Which service a request is for: AWS's have a header for it.
fn awaited(headers: &HeaderMap) -> Awaited {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.split_once('.')) {
        Some(("AmazonSQS", _)) => Awaited::Sqs,
        Some(("secretsmanager", _)) => Awaited::SecretsManager,
        Some(_) => Awaited::DynamoDb,
        None => Awaited::Belvo,
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("gzip"))
}

/// The same bytes compressed, or as they are if that fails.
async fn compressed(body: Bytes) -> Bytes {
    let plain = body.clone();
    let compressing = spawn_blocking(move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(COMPRESSION));
        encoder.write_all(&plain)?;
        encoder.finish()
    });
    match compressing.await {
        Ok(Ok(compressed)) => compressed.into(),
        _ => body,
    }
}

/// An answer on its way. Its exchange is noted before the last byte is sent, so that whoever has
/// received the answer finds it, or when the client goes away.
struct Sending {
    exchange: Exchange,
    record: Option<Record>,
    line: Line,
    first: Instant,
    sent: usize,
    body: Bytes,
}

impl Sending {
    fn into_body(mut self) -> Body {
        if self.body.is_empty() {
            self.note();
            return Body::empty();
        }
        Body::from_stream(stream::unfold(self, |mut sending| async move {
            let chunk = sending.next().await?;
            Some((Ok::<_, std::io::Error>(chunk), sending))
        }))
    }

    async fn next(&mut self) -> Option<Bytes> {
        if self.body.is_empty() {
            return None;
        }
        let chunk = if self.line.megabits_per_second.is_some() {
            self.body.split_to(CHUNK.min(self.body.len()))
        } else {
            std::mem::take(&mut self.body)
        };
        self.sent += chunk.len();
        sleep_until((self.first + self.line.time_for(self.sent)).into()).await;
        if self.body.is_empty() {
            self.note();
        }
        Some(chunk)
    }

    fn note(&mut self) {
        if let Some(record) = self.record.take() {
            self.exchange.ended = Instant::now();
            record.note(self.exchange);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.note();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::routing::get;
    use flate2::read::GzDecoder;
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject},
    };

    use super::*;
    use crate::tls;

    const BODY: &str = "a row, and another row, and another row";

    /// A server with these latencies, and a client that trusts it.
    struct Fixture {
        url: String,
        http: reqwest::Client,
        record: Record,
    }

    async fn fixture(line: Line) -> Fixture {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = upstream.local_addr().unwrap();
        let rows = get(|| async { BODY.repeat(1_000) });
        let router = Router::new().route("/rows", rows);
        tokio::spawn(async move { axum::serve(upstream, router).await });

        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("authority.pem");
        let tls = tls::acceptor(&authority, &directory.path().join("bundle.pem")).unwrap();
        let record = Record::default();
        let traffic = Traffic {
            draws: Arc::new(Draws::seeded(1)),
            record: record.clone(),
        };
        let url = put_before(address, &tls, line, traffic).await.unwrap();

        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(
            CertificateDer::pem_file_iter(&authority).unwrap().flatten(),
        );
        let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(trusting)
            .no_proxy()
            .no_gzip()
            .build()
            .unwrap();
        Fixture { url, http, record }
    }

    fn line(megabits_per_second: Option<f64>) -> Line {
        Line {
            round_trip: Duration::from_millis(3),
            megabits_per_second,
            compresses: true,
        }
    }

    impl Fixture {
        async fn get(&self, header: &'static str, value: &'static str) -> Bytes {
            let request = self.http.get(format!("{}/rows", self.url));
            let answer = request.header(header, value).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            answer.bytes().await.unwrap()
        }
    }

    fn length(exchange: &Exchange) -> Duration {
        exchange.ended - exchange.started
    }

    #[tokio::test]
    async fn an_answer_comes_whole_and_not_before_its_latency_has_passed() {
        let fixture = fixture(line(None)).await;
        let target = ("x-amz-target", "DynamoDB_20120810.GetItem");
        let body = fixture.get(target.0, target.1).await;
        assert_eq!(body, BODY.repeat(1_000));

        let exchanges = fixture.record.take();
        let awaited: Vec<_> = exchanges.iter().map(|exchange| exchange.awaited).collect();
        assert_eq!(awaited, [Awaited::Connection, Awaited::DynamoDb]);
        assert!(length(&exchanges[0]) >= Duration::from_millis(6));
        let slowness = Draws::seeded(1).next(Awaited::DynamoDb);
        assert!(length(&exchanges[1]) >= slowness.of_answer(body.len()));
        assert_eq!(exchanges[1].bytes, 39_000);
    }

    #[tokio::test]
    async fn a_line_carries_no_more_than_it_can() {
        let fixture = fixture(line(Some(8.0))).await;
        assert_eq!(fixture.get("accept", "*/*").await, BODY.repeat(1_000));

        let exchange = fixture.record.take()[1];
        let slowness = Draws::seeded(1).next(Awaited::Belvo);
        // A megabyte in a second.
        let on_the_line = Duration::from_millis(39);
        assert!(length(&exchange) >= slowness.of_answer(39_000) + on_the_line);
    }

    #[tokio::test]
    async fn answers_are_compressed_for_a_client_that_takes_it_from_a_server_that_does_it() {
        let compressing = fixture(line(None)).await;
        let compressed = compressing.get("accept-encoding", "gzip").await;
        let mut body = String::new();
        GzDecoder::new(&compressed[..])
            .read_to_string(&mut body)
            .unwrap();
        assert_eq!(body, BODY.repeat(1_000));
        assert_eq!(compressing.record.take()[1].bytes, compressed.len() as u64);

        let mut line = line(None);
        line.compresses = false;
        let plain = fixture(line).await;
        assert_eq!(
            plain.get("accept-encoding", "gzip").await,
            BODY.repeat(1_000)
        );
    }

    #[test]
    fn a_request_tells_its_service_by_its_target() {
        for (target, expected) in [
            ("DynamoDB_20120810.PutItem", Awaited::DynamoDb),
            ("AmazonSQS.SendMessage", Awaited::Sqs),
            ("secretsmanager.GetSecretValue", Awaited::SecretsManager),
        ] {
            let headers = [("x-amz-target", target)];
            let headers = headers.map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            assert_eq!(awaited(&HeaderMap::from_iter(headers)), expected);
        }
        assert_eq!(awaited(&HeaderMap::new()), Awaited::Belvo);
    }
}
