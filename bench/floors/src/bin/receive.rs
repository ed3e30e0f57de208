//! Receives the pages of a listing and hashes their bytes with SHA-256: the least that notices
//! whether anything has changed. Where the next page is, it finds by a search at the beginning of a
//! page.

use floors::{Listing, Receiver};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let http = Receiver::client()?;
    let answer = async |event: LambdaEvent<Listing>| {
        let mut receiver = Receiver::new(&http, event.payload);
        let mut pages = 0;
        while receiver.receive().await? {
            pages += 1;
        }
        Ok::<_, Error>(json!({ "pages": pages, "digest": receiver.digest() }))
    };
    lambda_runtime::run(service_fn(answer)).await
}
