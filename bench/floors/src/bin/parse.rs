//! Fetches the pages of a listing, parses them, and serialises their rows as DynamoDB would be sent
//! them, 25 at a time, without sending anything: what the bytes themselves cost.

use std::hint::black_box;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

/// The event: the first page's address, and who asks.
#[derive(Deserialize)]
struct Listing {
    url: String,
    user: String,
    password: String,
}

#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    results: Vec<Map<String, Value>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a provider is installed already")?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let answer = async |event: LambdaEvent<Listing>| {
        let Listing {
            url,
            user,
            password,
        } = event.payload;
        let (mut next, mut rows) = (Some(url), 0);
        while let Some(url) = next.take() {
            let page = http
                .get(url)
                .basic_auth(&user, Some(&password))
                .send()
                .await?
                .error_for_status()?;
            let page: Page = serde_json::from_slice(&page.bytes().await?)?;
            for batch in page.results.chunks(25) {
                black_box(serde_json::to_vec(
                    &batch.iter().map(Fields).collect::<Vec<_>>(),
                )?);
            }
            rows += page.results.len();
            next = page.next;
        }
        Ok::<_, Error>(json!({ "rows": rows }))
    };
    lambda_runtime::run(service_fn(answer)).await
}

/// An object as a map of DynamoDB's attribute values ("Low-level API", DynamoDB developer guide).
struct Fields<'a>(&'a Map<String, Value>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Attribute(value))))
    }
}

struct Attribute<'a>(&'a Value);

impl Serialize for Attribute<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut typed = serializer.serialize_map(Some(1))?;
        match self.0 {
            Value::Null => typed.serialize_entry("NULL", &true)?,
            Value::Bool(truth) => typed.serialize_entry("BOOL", truth)?,
            Value::Number(number) => typed.serialize_entry("N", number.as_str())?,
            Value::String(text) => typed.serialize_entry("S", text)?,
            Value::Array(elements) => {
                typed.serialize_entry("L", &elements.iter().map(Attribute).collect::<Vec<_>>())?;
            }
            Value::Object(fields) => typed.serialize_entry("M", &Fields(fields))?,
        }
        typed.end()
    }
}
