//! Bodies of Belvo's answers, and how many bytes of them are taken.

use domain::SentPage;
use reqwest::Response;
use serde::de::DeserializeOwned;

use super::BelvoError;

/// The most bytes of an answer, decompressed: three times those of 1,000 ordinary transactions.
/// `collect` works on ten links at once and holds a page of each several times: as it was read, as
/// it is written, and the next one. With pages of nearly this size it stays far below its memory,
/// even if all their rows have changed (suite `large-rows` of `make bench`).
const MOST: usize = 6 * 1_024 * 1_024;
/// The same of an error, of which one entry is of interest: parsed, an array of small entries has
/// many times its bytes.
const MOST_OF_AN_ERROR: usize = 64 * 1_024;

/// Reads a body of JSON.
pub(super) async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, BelvoError> {
    let body = bytes(answer, MOST).await?;
    serde_json::from_slice(&body).map_err(|_| BelvoError::Unreadable("body"))
}

/// Reads a page of a listing.
pub(super) async fn read_page(answer: Response) -> Result<SentPage, BelvoError> {
    let body = bytes(answer, MOST).await?;
    let text = String::from_utf8(body).map_err(|_| BelvoError::Unreadable("body"))?;
    SentPage::parse(text).map_err(|_| BelvoError::Unreadable("body"))
}

/// The body of an error; empty if it does not arrive or is too large, because the status alone says
/// what to do.
pub(super) async fn of_error(answer: Response) -> Vec<u8> {
    bytes(answer, MOST_OF_AN_ERROR).await.unwrap_or_default()
}

/// Reads a body of at most so many bytes. What exceeds them is not read; the connection is closed.
/// Of a compressed body, each chunk is already decompressed, and none is announced.
async fn bytes(mut answer: Response, most: usize) -> Result<Vec<u8>, BelvoError> {
    let announced = answer.content_length().unwrap_or(0);
    if announced > most as u64 {
        return Err(BelvoError::TooLarge);
    }
    // No length is announced where the body is sent in chunks.
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(BelvoError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
