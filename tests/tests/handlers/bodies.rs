//! Answers of Belvo's that are not what its document promises, or have more bytes than are taken.

use std::io::Write;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use domain::{Days, LinkId, Resource, Retrieval, RowQuery, Status, Verdict};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use serde_json::{Value, json};
use shared::{
    advice::{Advice, FIRST_RETRY},
    belvo::{BelvoError, Client, Page, RetrievalOutcome},
};
use tokio::net::TcpListener;

use crate::{
    surroundings::{LINK, Surroundings, good_keys},
    worker::{AMPLE, Worker, id, webhook},
};

const MIB: usize = 1_024 * 1_024;

/// A client of a Belvo that gives this answer whatever it is asked about transactions.
async fn client_of(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let path = format!("/{}", Resource::TRANSACTIONS.path());
    let router = Router::new().route(&path, any(async move || answer()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let here = Surroundings::new().await;
    here.belvo_at(&url, good_keys()).await
}

async fn first_page(client: &Client) -> Result<Page, BelvoError> {
    let query = RowQuery {
        resource: Resource::TRANSACTIONS,
        link: LinkId::parse(LINK).unwrap(),
        days: Days::ALL,
        account: None,
    };
    client.first_page(&query).await
}

/// A page without rows, in so many bytes.
fn padded(bytes: usize) -> String {
    let page = r#"{"count": 0, "next": null, "results": []}"#;
    format!("{page}{}", " ".repeat(bytes - page.len()))
}

/// A body without a length that never ends.
fn endless() -> Body {
    let megabyte = Bytes::from(vec![b' '; MIB]);
    let chunks = stream::repeat_with(move || Ok::<_, std::io::Error>(megabyte.clone()));
    Body::from_stream(chunks)
}

#[tokio::test]
async fn only_a_documented_answer_to_a_retrieval_says_that_its_data_is_ready() {
    let retrieval = Retrieval::of(LinkId::parse(LINK).unwrap(), Resource::TRANSACTIONS);
    for (status, body, is_ready) in [
        (201, r#"[{"id": "a"}]"#, true),
        (200, "[]", true),
        (200, "<html>Welcome</html>", false),
        (200, "{}", false),
        (200, r#"["a"]"#, false),
        (201, "", false),
        (203, "[]", false),
        (204, "", false),
        (202, "[]", false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let client = client_of(move || (status, body).into_response()).await;
        let outcome = client.retrieve(&retrieval).await;
        match outcome {
            Ok(outcome) => assert!(
                is_ready && outcome == RetrievalOutcome::Ready,
                "{status} {body}"
            ),
            Err(error) => assert!(
                !is_ready && error.is_ambiguous(),
                "{status} {body}: {error}"
            ),
        }
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_a_limit_whether_or_not_its_length_is_announced() {
    let announced = client_of(|| padded(6 * MIB + 1).into_response()).await;
    let page = first_page(&announced).await;
    assert!(matches!(page, Err(BelvoError::TooLarge)), "{page:?}");

    let unannounced = client_of(|| endless().into_response()).await;
    let page = first_page(&unannounced).await;
    assert!(matches!(page, Err(BelvoError::TooLarge)), "{page:?}");

    let largest = client_of(|| padded(6 * MIB).into_response()).await;
    assert_eq!(first_page(&largest).await.unwrap().count, 0);
}

/// An answer with this body, compressed.
fn compressed(body: &str) -> impl Fn() -> Response + Clone + use<> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    let bytes = Bytes::from(encoder.finish().unwrap());
    move || ([(header::CONTENT_ENCODING, "gzip")], bytes.clone()).into_response()
}

#[tokio::test]
async fn a_compressed_body_is_read_up_to_the_same_limit_of_what_it_was_before() {
    let too_large = client_of(compressed(&padded(6 * MIB + 1))).await;
    let page = first_page(&too_large).await;
    assert!(matches!(page, Err(BelvoError::TooLarge)), "{page:?}");

    let largest = client_of(compressed(&padded(6 * MIB))).await;
    assert_eq!(first_page(&largest).await.unwrap().count, 0);
}

/// The same, compressed.
fn endless_when_decompressed() -> Body {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let chunks = stream::unfold(encoder, async |mut encoder| {
        encoder.write_all(&vec![b' '; MIB]).unwrap();
        encoder.flush().unwrap();
        let chunk = std::mem::take(encoder.get_mut());
        Some((Ok::<_, std::io::Error>(chunk), encoder))
    });
    Body::from_stream(chunks)
}

#[tokio::test]
async fn a_compressed_body_is_decompressed_only_up_to_the_limit() {
    let bomb = || {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        (encoding, endless_when_decompressed()).into_response()
    };
    let page = first_page(&client_of(bomb).await).await;
    assert!(matches!(page, Err(BelvoError::TooLarge)), "{page:?}");
}

#[tokio::test]
async fn belvo_is_told_that_its_answers_may_be_compressed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let page = compressed(&padded(100));
    let answer = async move |headers: HeaderMap| match headers.get(header::ACCEPT_ENCODING) {
        Some(accepted) if accepted == "gzip" => page(),
        _ => StatusCode::NOT_ACCEPTABLE.into_response(),
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let here = Surroundings::new().await;
    let client = here.belvo_at(&url, good_keys()).await;
    assert_eq!(first_page(&client).await.unwrap().count, 0);
}

#[tokio::test]
async fn an_error_whose_body_is_too_large_counts_by_its_status() {
    let unavailable = || (StatusCode::SERVICE_UNAVAILABLE, endless()).into_response();
    let error = first_page(&client_of(unavailable).await).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Retry(FIRST_RETRY));

    let refused = || {
        let entry = json!([{"code": "invalid_link", "message": "m".repeat(MIB)}]);
        (StatusCode::BAD_REQUEST, entry.to_string()).into_response()
    };
    let error = first_page(&client_of(refused).await).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Belvo refused the request (HTTP 400, none)"
    );
}

/// A worker, and a link with so many rows of a resource, those of which `bytes` says so enlarged.
async fn link_of(resource: &str, rows: usize, bytes: impl Fn(usize) -> usize) -> (Worker, String) {
    let worker = Worker::with_own_tables().await;
    let body = json!({"transactions": 0, "resources": {resource: rows}});
    let sandbox = &worker.here.sandbox;
    let link = sandbox.link(body).await.unwrap();
    let rows = worker.here.sandbox.rows_of(&link, resource).await.unwrap();
    for (place, row) in rows.iter().enumerate() {
        let id = row["id"].as_str().unwrap();
        // Few enough for the sandbox to take them.
        for field in 0..bytes(place).div_ceil(MIB) {
            let text = "x".repeat(bytes(place).min(MIB));
            let fields = json!({format!("document_{field}"): text});
            sandbox.patch_row(&link, id, fields).await.unwrap();
        }
    }
    (worker, link)
}

/// Announces the rows of a resource, and returns the id that the webhook names.
async fn announce(worker: &Worker, link: &str, webhook_type: &str) -> String {
    let id = id();
    let mut webhook = webhook(link, "historical_update", Some(&id));
    webhook["webhook_type"] = json!(webhook_type);
    worker.enqueue(&webhook).await;
    id
}

/// The `page` and `page_size` of every page that was asked for.
async fn pages(worker: &Worker) -> Vec<(u64, u64)> {
    let queries = worker.here.get_queries().await;
    let number = |query: &str, name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(key, _)| *key == name).map(|(_, value)| value);
        value.map_or(1, |value| value.parse().unwrap())
    };
    let pages = queries
        .iter()
        .map(|query| (number(query, "page"), number(query, "page_size")));
    pages.collect()
}

#[tokio::test]
async fn a_page_of_too_many_bytes_is_asked_for_again_with_fewer_rows() {
    let (worker, link) = link_of("invoices", 60, |_| 400_000).await;
    let id = announce(&worker, &link, "INVOICES").await;
    worker.process_everything().await;

    let record = worker.record(&id).await;
    assert_eq!(
        (record.verdict(), record.collection.unwrap().tally.new),
        (Some(Verdict::Complete), 60)
    );
    // 50 invoices have 20 MB, 25 have 10 MB.
    assert_eq!(pages(&worker).await[..3], [(1, 50), (1, 25), (1, 5)]);
}

#[tokio::test]
async fn a_later_page_of_too_many_bytes_is_read_in_smaller_ones() {
    let large = |place| if place < 60 { 0 } else { MIB };
    let (worker, link) = link_of("financial-statements", 73, large).await;
    let id = announce(&worker, &link, "FINANCIAL_STATEMENTS").await;
    worker.process_everything().await;

    let record = worker.record(&id).await;
    assert_eq!(
        (record.verdict(), record.collection.unwrap().tally.new),
        (Some(Verdict::Complete), 73)
    );
    let reading = [
        (1, 50),
        (2, 50),
        (3, 25),
        (11, 5),
        (12, 5),
        (13, 5),
        (14, 5),
        (15, 5),
    ];
    let pages = pages(&worker).await;
    assert_eq!(pages, [reading, reading].concat());
}

#[tokio::test]
async fn a_row_of_too_many_bytes_ends_its_message_with_the_reason() {
    let large = |place| if place == 1 { 7 * MIB } else { 0 };
    let (worker, link) = link_of("invoices", 3, large).await;
    let id = announce(&worker, &link, "INVOICES").await;
    let left = worker.invoke(worker.waiting().await, AMPLE).await;
    assert!(left.is_empty(), "{left:?}");

    let reason = |letter: &Value| letter["reason"]["stringValue"].as_str().map(str::to_owned);
    let letters = worker.dead_letters().await;
    let letters: Vec<_> = letters
        .iter()
        .map(|letter| serde_json::to_value(&letter.message_attributes).unwrap())
        .collect();
    let expected = "a call to Belvo failed: Belvo's answer is too large".to_owned();
    assert_eq!(
        letters.iter().map(reason).collect::<Vec<_>>(),
        [Some(expected)]
    );
    assert_eq!(worker.record(&id).await.status(), Status::Failed);
}
