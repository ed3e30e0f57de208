//! The HTTP client of Belvo's API. Its seams are the base URL, which tests point at
//! `tools/belvo-sandbox`, and where its connections lead.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{AccountId, RequestId, Resource, Retrieval, RowId, RowQuery, SentRows, Window};
pub use reqwest::ClientBuilder;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect, retry};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use url::Url;

use super::{
    BelvoError, Haste, Pace,
    answers::Answers,
    body::{of_error, read, read_page},
    error::NOT_FOUND,
    paging::{self, smaller},
    wire::{Accepted, AnyRow, NextPage, Page, RetrievalBody},
};
use crate::{
    secret::{CachedSecret, ExposeSecret, Newer, SecretString},
    telemetry::{Call, Shown},
    tls::trusting_mozilla,
};

/// Time for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the answer to an asynchronous POST. Together with the record that is written after it,
/// it fits into the 29 s of `request`.
const RETRIEVAL_TIMEOUT: Duration = Duration::from_secs(18);
/// Time for a whole page. Belvo's own clients found 5 s too little for large listings.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an unused connection is kept.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// The JSON document in the secret that holds the API keys.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiKeys {
    /// User name for Basic authentication.
    pub(crate) secret_id: SecretString,
    /// Password for Basic authentication.
    pub(crate) secret_password: SecretString,
}

/// Belvo's answer to a retrieval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetrievalOutcome {
    /// Belvo works on it and will call the webhook.
    Accepted(RequestId),
    /// Belvo ignored the asynchronous mode and has the data ready to be read.
    Ready,
}

/// Belvo's API. Keeps its connections, which its clones share; credentials go to the configured
/// host only.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    keys: Arc<CachedSecret<ApiKeys>>,
    pace: Option<Pace>,
    /// How many more requests go before those of others; all, if it is not limited.
    head_start: Option<Arc<AtomicU32>>,
    haste: Option<Haste>,
    answers: Arc<Answers>,
}

impl Client {
    /// A client for the API at `base`, such as `https://sandbox.belvo.com/`.
    pub fn new(base: Url, keys: CachedSecret<ApiKeys>) -> Result<Self, BelvoError> {
        Self::over(ClientBuilder::new(), base, keys)
    }

    /// The same, whose connections lead as in this builder: a simulation gives one that leads to
    /// the servers in its own process.
    pub fn over(
        connections: ClientBuilder,
        base: Url,
        keys: CachedSecret<ApiKeys>,
    ) -> Result<Self, BelvoError> {
        let http = connections
            .tls_backend_preconfigured(trusting_mozilla())
            // A redirect could carry the keys to another host; Belvo's API documents none.
            .redirect(redirect::Policy::none())
            // The caller decides what may be sent twice.
            .retry(retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            // Below what servers keep idle connections for: a POST on one that Belvo has just
            // closed would be ambiguous.
            .pool_idle_timeout(IDLE_CONNECTION)
            // A page has a sixth of its bytes then (docs/decisions/0046).
            .gzip(true)
            .timeout(PAGE_TIMEOUT)
            .user_agent(concat!("belvo-ingest/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            base,
            keys: Arc::new(keys),
            pace: None,
            head_start: None,
            haste: None,
            answers: Arc::default(),
        })
    }

    /// The same client, each of whose requests is sent at this pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self {
            pace: Some(pace),
            ..self
        }
    }

    /// The same client for one piece of work, after which a line of the log counts how Belvo
    /// answered.
    #[must_use]
    pub fn counting(&self) -> Self {
        Self {
            answers: Arc::default(),
            ..self.clone()
        }
    }

    /// The same for one collection, of which so many requests go before those of others, and which
    /// does not wait for Belvo at any cost if it is in haste.
    #[must_use]
    pub fn for_collection(&self, head_start: u32, haste: Option<Haste>) -> Self {
        Self {
            head_start: Some(Arc::new(AtomicU32::new(head_start))),
            haste,
            ..self.counting()
        }
    }

    /// Says at which bank the link is that the work is about.
    pub fn is_about(&self, institution: Option<&str>) {
        if let Some(institution) = institution {
            self.answers.are_of(institution);
        }
    }

    /// Says that a step of a collection begins: until Belvo has answered once, nothing is lost if
    /// it is interrupted.
    pub fn begin_step(&self) {
        if let Some(haste) = &self.haste {
            haste.begin_step();
        }
    }

    /// Reads the keys, so that the first invocation finds them. What fails here fails again, with
    /// its reason, when they are needed. No connection is opened: that takes a request, which would
    /// count towards Belvo's limit and is none of those that Belvo documents.
    pub async fn warm_up(&self) {
        let _ = self.keys.get().await;
    }

    /// Asks Belvo for a retrieval in the asynchronous mode. Sent at most once, except for one retry
    /// with newer keys after a 401, on which Belvo does not act. An error for which
    /// [`BelvoError::is_ambiguous`] holds may have used up a retrieval; the caller must not repeat
    /// it blindly.
    pub async fn retrieve(&self, retrieval: &Retrieval) -> Result<RetrievalOutcome, BelvoError> {
        let body = RetrievalBody {
            link: retrieval.link.as_str(),
            date_from: retrieval.window.map(Window::from),
            date_to: retrieval.window.map(Window::to),
            account: retrieval.account.as_ref().map(AccountId::as_str),
            direction: retrieval.direction,
        };
        let body = serde_json::to_vec(&body).map_err(|_| BelvoError::Unsendable("body"))?;
        let url = self.resource_url(retrieval.resource)?;
        let request = || {
            self.async_request(Method::POST, url.clone())
                .timeout(RETRIEVAL_TIMEOUT)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone())
        };
        let answer = self.send(request).await?;
        match answer.status() {
            StatusCode::ACCEPTED => Ok(RetrievalOutcome::Accepted(accepted_id(answer).await?)),
            StatusCode::OK | StatusCode::CREATED => {
                let _: Vec<AnyRow> = read(answer).await?;
                Ok(RetrievalOutcome::Ready)
            }
            // Nothing that Belvo's document knows: something else may have answered.
            _ => Err(BelvoError::Unreadable("status")),
        }
    }

    /// Reads the first page of a listing, of fewer rows if they have too many bytes. Safe to
    /// repeat.
    pub async fn first_page(&self, query: &RowQuery) -> Result<Page, BelvoError> {
        let rows = query.resource.rows_at_once();
        self.fitting_page(self.listing(query, rows)?).await
    }

    /// How many rows a listing has, by Belvo's count. Safe to repeat.
    pub async fn count(&self, query: &RowQuery) -> Result<u64, BelvoError> {
        Ok(self.page(self.listing(query, 1)?).await?.count)
    }

    /// Reads a further page of a listing, of fewer rows if they have too many bytes; `None` if the
    /// listing has become shorter and has no such page any more. Safe to repeat.
    pub async fn next_page(&self, next: &NextPage) -> Result<Option<Page>, BelvoError> {
        let url = next.url.clone();
        unless_gone(if next.is_divisible {
            self.fitting_page(url).await
        } else {
            self.page(url).await
        })
    }

    /// Reads a row by its id (`GET /api/transactions/{id}/` and its counterparts); `None` if Belvo
    /// does not have it. Safe to repeat.
    pub async fn row(
        &self,
        resource: Resource,
        id: &RowId,
    ) -> Result<Option<SentRows>, BelvoError> {
        let mut url = self.resource_url(resource)?;
        url.path_segments_mut()
            .map_err(|()| BelvoError::Unsendable("row id"))?
            .pop_if_empty()
            .extend([id.as_str(), ""]);
        let row: Result<Box<RawValue>, _> = self.get(url).await;
        unless_gone(row.map(|row| SentRows::one(Box::<str>::from(row).into())))
    }

    /// Reads what is at an address.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, BelvoError> {
        self.get_by(url, read).await
    }

    /// The same, read by `reader`.
    async fn get_by<T, F: Future<Output = Result<T, BelvoError>>>(
        &self,
        url: Url,
        reader: impl Fn(Response) -> F + Copy,
    ) -> Result<T, BelvoError> {
        let request = with_keys(|| self.request(Method::GET, url.clone()));
        self.send_keyed(request, self.haste.as_ref(), reader).await
    }

    /// Reads a page, or the first rows of it if all of them have too many bytes; the next page then
    /// has as few.
    async fn fitting_page(&self, mut url: Url) -> Result<Page, BelvoError> {
        loop {
            match self.page(url.clone()).await {
                Err(BelvoError::TooLarge) => url = smaller(&url).ok_or(BelvoError::TooLarge)?,
                outcome => return outcome,
            }
        }
    }

    pub(super) async fn page(&self, url: Url) -> Result<Page, BelvoError> {
        let page = self.get_by(url.clone(), read_page).await?;
        let next = page.next.map(|next| next_page(&url, &next)).transpose()?;
        let rows = page.rows.len() as u64;
        Ok(Page {
            count: page.count,
            rows: page.rows,
            next: next.map(|url| NextPage {
                is_divisible: paging::size(&url) == Some(rows),
                url,
            }),
        })
    }

    /// A request without the keys.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// A request without the keys, in Belvo's asynchronous mode.
    pub(super) fn async_request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.request(method, url);
        request.header("X-Belvo-Request-Mode", "async")
    }

    /// Sends a request with the keys; after a 401 once more if the keys have changed since they
    /// were read.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, BelvoError> {
        let request = with_keys(request);
        self.send_keyed(request, None, |answer| ready(Ok(answer)))
            .await
    }

    /// Like [`Self::send`], for a request that carries the keys in its own way, and that may be
    /// cancelled if there is haste; `finish` does what belongs to its answer.
    pub(super) async fn send_keyed<T, F: Future<Output = Result<T, BelvoError>>>(
        &self,
        request: impl Fn(&ApiKeys) -> Result<RequestBuilder, BelvoError>,
        haste: Option<&Haste>,
        finish: impl Fn(Response) -> F + Copy,
    ) -> Result<T, BelvoError> {
        let keys = self.keys.get().await?;
        let outcome = self.paced(request(&keys.value)?, haste, finish).await;
        let Err(BelvoError::NeedsOperator { status: 401, .. }) = &outcome else {
            return outcome;
        };
        match self.keys.newer_than(&keys).await? {
            Newer::Version(keys) => self.paced(request(&keys.value)?, haste, finish).await,
            Newer::Same => outcome,
            Newer::TooSoon(wait) => outcome.map_err(|error| error.retried_after(wait)),
        }
    }

    /// Sends a request when its time has come: every request to Belvo passes here.
    async fn paced<T, F: Future<Output = Result<T, BelvoError>>>(
        &self,
        request: RequestBuilder,
        haste: Option<&Haste>,
        finish: impl Fn(Response) -> F,
    ) -> Result<T, BelvoError> {
        let since = Instant::now();
        let admitted = self.admitted(haste).await;
        self.answers.waited(since.elapsed());
        admitted?;
        let answer = async { finish(answer(request).await?).await };
        let answer = match haste {
            Some(haste) => haste.answer(answer).await,
            None => answer.await,
        };
        self.answers.count(&answer);
        if let Some(haste) = haste
            && !matches!(answer, Err(BelvoError::Interrupted { .. }))
        {
            haste.answered();
        }
        answer
    }

    async fn admitted(&self, haste: Option<&Haste>) -> Result<(), BelvoError> {
        let Some(pace) = &self.pace else {
            return Ok(());
        };
        // On the heap: few calls ask a table, and each of them would have room for that.
        let admission = Box::pin(pace.admit(self.goes_first()));
        match haste {
            Some(haste) => haste.admission(admission).await,
            None => admission.await,
        }
    }

    fn goes_first(&self) -> bool {
        let take = |left: &AtomicU32| {
            let one_less = |left: u32| left.checked_sub(1);
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
            taken.is_ok()
        };
        self.head_start.as_deref().is_none_or(take)
    }

    /// The address of a listing's first page. Filters as in `GET /api/transactions/` of Belvo's
    /// OpenAPI, with the resource's own date.
    fn listing(&self, query: &RowQuery, page_size: usize) -> Result<Url, BelvoError> {
        let mut url = self.resource_url(query.resource)?;
        let days = match (query.days.first(), query.days.last()) {
            (Some(first), Some(last)) => Some(("range", format!("{first},{last}"))),
            (Some(first), None) => Some(("gte", first)),
            (None, Some(last)) => Some(("lte", last)),
            (None, None) => None,
        };
        let days = query
            .resource
            .date_field()
            .zip(days)
            .map(|(field, (side, days))| (format!("{field}__{side}"), days));
        url.query_pairs_mut()
            .append_pair("link", query.link.as_str())
            .append_pair("page_size", &page_size.to_string())
            .extend_pairs(days)
            .extend_pairs(
                query
                    .account
                    .as_ref()
                    .map(|account| ("account", account.as_str())),
            );
        Ok(url)
    }

    fn resource_url(&self, resource: Resource) -> Result<Url, BelvoError> {
        self.url(resource.path())
    }

    pub(super) fn url(&self, path: &str) -> Result<Url, BelvoError> {
        self.base
            .join(path)
            .map_err(|_| BelvoError::Unsendable("base URL"))
    }
}

/// A request that carries the keys as Basic authentication.
fn with_keys(
    request: impl Fn() -> RequestBuilder,
) -> impl Fn(&ApiKeys) -> Result<RequestBuilder, BelvoError> {
    move |keys| {
        Ok(request().basic_auth(
            keys.secret_id.expose_secret(),
            Some(keys.secret_password.expose_secret()),
        ))
    }
}

/// `None` where Belvo says that it does not have what was asked for.
fn unless_gone<T>(answer: Result<T, BelvoError>) -> Result<Option<T>, BelvoError> {
    match answer {
        Err(BelvoError::Rejected {
            status: 404, code, ..
        }) if code == NOT_FOUND => Ok(None),
        answer => answer.map(Some),
    }
}

async fn answer(request: RequestBuilder) -> Result<Response, BelvoError> {
    let (http, request) = request.build_split();
    let request = request?;
    let shown = Shown::begin(|| Call::Belvo {
        method: request.method().to_string(),
    });
    let answer = http.execute(request).await?;
    let status = answer.status();
    Shown::end(shown, status.as_u16());
    if status.is_success() {
        return Ok(answer);
    }
    if status.is_redirection() {
        return Err(BelvoError::Unreadable("a redirect"));
    }
    let text = |name: header::HeaderName| {
        answer
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let html = text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    let retry_after = text(header::RETRY_AFTER)
        .and_then(|value| value.parse().ok())
        .map(Duration::from_secs);
    let body = of_error(answer).await;
    Err(BelvoError::from_answer(status, retry_after, html, &body))
}

/// The address of the page after `page`: only its query is the body's to choose, not where our keys
/// are sent. A proxy in front of Belvo may make it write `http://`, or another host.
fn next_page(page: &Url, next: &str) -> Result<Url, BelvoError> {
    let (_, query) = next.split_once('?').ok_or(BelvoError::Unreadable("next"))?;
    let mut url = page.clone();
    url.set_query(Some(query));
    Ok(url)
}

/// The request id of a 202.
pub(super) async fn accepted_id(answer: Response) -> Result<RequestId, BelvoError> {
    let accepted: Accepted = read(answer).await?;
    RequestId::parse(&accepted.request_id).map_err(|_| BelvoError::Unreadable("request_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_on_our_host_and_path_whatever_the_body_says() {
        let first = "https://sandbox.belvo.com/api/transactions/?link=l&page_size=1000";
        let first = Url::parse(first).unwrap();
        for next in [
            "https://sandbox.belvo.com/api/transactions/?link=l&page=2",
            "http://sandbox.belvo.com/api/transactions/?link=l&page=2",
            "http://10.0.0.7:8000/transactions/?link=l&page=2",
            "https://user:password@evil.example/api/links/?link=l&page=2",
            "/api/transactions/?link=l&page=2",
            "?link=l&page=2",
        ] {
            assert_eq!(
                next_page(&first, next).unwrap().as_str(),
                "https://sandbox.belvo.com/api/transactions/?link=l&page=2",
                "{next}"
            );
        }
        for next in ["", "page 2", "https://sandbox.belvo.com/api/transactions/"] {
            let next = next_page(&first, next);
            assert!(matches!(next, Err(BelvoError::Unreadable(_))), "{next:?}");
        }
    }
}
