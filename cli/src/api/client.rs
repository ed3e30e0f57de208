//! Signed calls of the API.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, header::RETRY_AFTER};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::sleep;

use super::Problem;
use crate::{CliError, error::OrFail, signing::Signer};

/// How often a call is made that the API asks to repeat.
const ATTEMPTS: u32 = 5;
/// The longest wait between two of them; a longer one is left to the person.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

const IS_IT_UP: &str = "Is the stack up, and the network?";

/// The API of a stack.
pub(crate) struct Api {
    http: reqwest::Client,
    signer: Arc<Signer>,
    url: String,
}

/// A call that the API refused.
struct Refusal {
    problem: Problem,
    /// When it asks to repeat the call.
    retry_after: Option<Duration>,
}

impl Api {
    pub(crate) fn new(http: reqwest::Client, signer: Arc<Signer>, url: String) -> Self {
        Self { http, signer, url }
    }

    /// Its address, which no other stack has.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, CliError> {
        self.call(|| self.request(Method::GET, path).query(query))
            .await
    }

    /// `None` if the API has nothing under this path.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, CliError> {
        match self.get(path, query).await {
            Ok(found) => Ok(Some(found)),
            Err(CliError::Refused(problem)) if problem.name() == "not-found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every item of a listing that answers in pages, whose items are in the field `name`.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        name: &str,
    ) -> Result<Vec<T>, CliError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", "500"));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page: Value = self.get(path, &query).await?;
            let next = page["next_cursor"].as_str().map(str::to_owned);
            let found: Vec<T> = read(serde_json::from_value(page[name].take()))?;
            items.extend(found);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        idempotency_key: Option<&str>,
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(body).or_fail("write a request", "")?;
        self.call(|| {
            let request = self
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body.clone());
            match idempotency_key {
                Some(key) => request.header("idempotency-key", key),
                None => request,
            }
        })
        .await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, CliError> {
        self.call(|| self.request(Method::DELETE, path).query(query))
            .await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Makes a call, and repeats it where the API says that nothing was done and when to try again.
    async fn call<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T, CliError> {
        for attempt in 1.. {
            let refusal = match self.once(request()).await? {
                Ok(body) => return read(serde_json::from_slice(&body)),
                Err(refusal) => refusal,
            };
            match refusal.wait() {
                Some(wait) if attempt < ATTEMPTS => sleep(wait).await,
                _ => return Err(CliError::Refused(Box::new(refusal.problem))),
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn once(&self, request: RequestBuilder) -> Result<Result<Vec<u8>, Refusal>, CliError> {
        let doing = || format!("reach the API at {}", self.url);
        let request = request.build().or_fail(doing(), IS_IT_UP)?;
        let request = self.signer.sign("execute-api", request).await?;
        let answer = self
            .http
            .execute(request)
            .await
            .or_fail(doing(), IS_IT_UP)?;

        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = answer.bytes().await.or_fail(doing(), IS_IT_UP)?.to_vec();
        Ok(if status.is_success() {
            Ok(body)
        } else {
            Err(Refusal {
                problem: Problem::of(status.as_u16(), &body),
                retry_after: seconds.map(Duration::from_secs),
            })
        })
    }
}

impl Refusal {
    /// How long to wait before the call is repeated, if it may be: nothing was done where these
    /// problems are answered (docs/API.md, "Errors").
    fn wait(&self) -> Option<Duration> {
        let asked = self.retry_after.unwrap_or(Duration::from_secs(1));
        let may_be_repeated = match self.problem.name() {
            "unavailable" | "too-many-calls" | "in-progress" => true,
            // API Gateway's throttle.
            "" => self.problem.status == 429,
            _ => false,
        };
        (may_be_repeated && asked <= LONGEST_WAIT).then_some(asked)
    }
}

fn read<T>(answer: serde_json::Result<T>) -> Result<T, CliError> {
    answer.or_fail(
        "read the API's answer",
        "Is the stack of the same version as this command?",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, status: u16, retry_after: Option<u64>) -> Refusal {
        Refusal {
            problem: Problem {
                kind: format!("urn:belvo-ingest:problem:{name}"),
                status,
                ..Problem::default()
            },
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn only_calls_that_did_nothing_are_repeated() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(refused("unavailable", 503, None).wait(), second);
        let too_many = refused("too-many-calls", 429, Some(7));
        assert_eq!(too_many.wait(), Some(Duration::from_secs(7)));
        assert_eq!(refused("unconfirmed", 502, Some(1)).wait(), None);
        assert_eq!(refused("unresolved", 409, Some(1)).wait(), None);
    }

    #[test]
    fn a_long_wait_is_left_to_the_person() {
        assert_eq!(refused("too-many-calls", 429, Some(31)).wait(), None);
    }

    #[test]
    fn the_throttle_of_api_gateway_is_waited_for() {
        let throttled = Refusal {
            problem: Problem::of(429, br#"{"message": "Too Many Requests"}"#),
            retry_after: None,
        };
        assert_eq!(throttled.wait(), Some(Duration::from_secs(1)));
    }
}
