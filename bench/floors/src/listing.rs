//! A listing of Belvo's, received and hashed without being parsed.

use std::time::Duration;

use lambda_runtime::Error;
use reqwest::Client;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::trusting_mozilla;

/// Bytes at the beginning of a page, where Belvo has the address of the next one.
const BEGINNING: usize = 1_024;

/// The first page's address, and who asks.
#[derive(Deserialize)]
pub struct Listing {
    url: String,
    user: String,
    password: String,
}

/// Receives the pages of a listing.
pub struct Receiver<'a> {
    http: &'a Client,
    listing: Listing,
    /// Of the page to receive; `None` after the last one.
    next: Option<String>,
    digest: Sha256,
}

impl<'a> Receiver<'a> {
    /// A client like that with which our functions read from Belvo.
    pub fn client() -> Result<Client, Error> {
        let http = Client::builder()
            .tls_backend_preconfigured(trusting_mozilla()?)
            .no_proxy()
            .timeout(Duration::from_secs(30));
        Ok(http.build()?)
    }

    #[must_use]
    pub fn new(http: &'a Client, mut listing: Listing) -> Self {
        Self {
            http,
            next: Some(std::mem::take(&mut listing.url)),
            listing,
            digest: Sha256::new(),
        }
    }

    /// Receives and hashes a page; `false` if there is none.
    pub async fn receive(&mut self) -> Result<bool, Error> {
        let Some(url) = self.next.take() else {
            return Ok(false);
        };
        let Listing { user, password, .. } = &self.listing;
        let request = self.http.get(url).basic_auth(user, Some(password));
        let mut page = request.send().await?.error_for_status()?;
        let mut beginning = Vec::with_capacity(BEGINNING);
        while let Some(bytes) = page.chunk().await? {
            self.digest.update(&bytes);
            let missing = bytes.len().min(BEGINNING - beginning.len());
            beginning.extend_from_slice(&bytes[..missing]);
        }
        self.next = next(&beginning)?;
        Ok(true)
    }

    /// The SHA-256 of all pages, in hexadecimal.
    #[must_use]
    pub fn digest(self) -> String {
        hex::encode(self.digest.finalize())
    }
}

/// The address of the next page, by its name: no parser has to know what else a page holds.
fn next(beginning: &[u8]) -> Result<Option<String>, Error> {
    let text = String::from_utf8_lossy(beginning);
    let (_, next) = text
        .split_once("\"next\":")
        .ok_or("a page does not begin with where the next one is")?;
    Ok(next
        .strip_prefix('"')
        .and_then(|next| Some(next.split_once('"')?.0.to_owned())))
}
