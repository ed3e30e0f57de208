//! A cursor: a text that callers are asked to give back as it is, and may invent.

use domain::NewsPlace;
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    api::ChangesPlace,
    store::{Cursor, opaque, read_opaque},
};
use url::form_urlencoded;

use super::query::Function;
use crate::api::Call;

const LINK: &[u8] = b"link=57a2fbe1-84ac-4ebd-9893-7dd181a3caec&id=row-1\
    &account=1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e&resource=invoices";
/// Every route that takes a cursor.
const ROUTES: [&str; 11] = [
    "GET /changes",
    "GET /links",
    "GET /links/{link}/accounts/{account}/balances",
    "GET /links/{link}/changes",
    "GET /links/{link}/requests",
    "GET /links/{link}/resources/{resource}",
    "GET /links/{link}/resources/{resource}/{id}/history",
    "GET /links/{link}/transactions",
    "GET /links/{link}/transactions/{id}/history",
    "GET /links/{link}/webhooks",
    "GET /quotas",
];

thread_local! {
    static FUNCTION: Function = Function::new();
}

/// A cursor is written as it was read. The input is one, or what one is made of: nobody finds a
/// JSON through base64 by chance.
pub(crate) fn check(input: &[u8]) {
    let made = serde_json::from_slice(input).map(|place: serde_json::Value| opaque(&place));
    let text = made.unwrap_or_else(|_| String::from_utf8_lossy(input).into_owned());
    if let Ok(cursor) = Cursor::parse(&text) {
        let written = cursor.encode();
        assert_eq!(Cursor::parse(&written), Ok(cursor));
        assert!(written.len() <= text.len());
    }
    assert_written::<ChangesPlace>(&text);
    assert_written::<NewsPlace>(&text);

    let route = ROUTES[text.len() % ROUTES.len()];
    assert_asked(route, &text);
    assert_asked("GET /links/{link}/changes", &text);
}

fn assert_written<T>(text: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    if let Ok(place) = read_opaque::<T>(text) {
        assert_eq!(read_opaque(&opaque(&place)), Ok(place));
    }
}

/// Whoever asks with it gets an answer, or hears that it is the cursor that is wrong.
fn assert_asked(route: &'static str, text: &str) {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.append_pair("cursor", text).finish();
    let call = Call::get(route, LINK, query.as_bytes());
    let answer = FUNCTION.with(|function| function.answer(&call));
    match answer.status {
        200 => {}
        // A resource without rows has no row with a history.
        404 => assert!(route.ends_with("{resource}/{id}/history")),
        400 | 410 => assert_eq!(answer.field(), Some("cursor"), "{}", answer.body),
        status => panic!("{status} of {route}: {}", answer.body),
    }
}
