//! A row, stored and read again. Whatever Belvo sends comes back equal, or the row is refused by
//! its id; the database takes no item of more than 400 KB.

use std::slice;

use domain::{
    Account, Changes, Difference, DigestedRow, Filter, LinkId, Listed, Observation, Resource, Row,
    SentRow, Timestamp,
};
use serde_json::Value;
use test_harness::difference;
use uuid::Uuid;

use crate::{slow::Fields, stock::Stock};

/// Random letters and digits have three quarters of their bytes when they are compressed, and an
/// item has 400 KB.
const INCOMPRESSIBLE: usize = 500 * 1_024;

thread_local! {
    static STOCK: Stock = Stock::empty();
}

/// A row's JSON.
pub(crate) fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        check_text(text);
    }
}

/// The same behind a line that says how many KB it has more, at most 999, as a text that can be
/// compressed or as one that cannot, such as `400 random`.
pub(crate) fn check_large(input: &[u8]) {
    if let Some(text) = filled(input) {
        check_text(&text);
    }
}

fn check_text(text: &str) {
    let Ok(sent) = SentRow::of(text) else {
        assert!(Fields::of(text).is_none(), "an object is not read");
        return;
    };
    let mut account = None;
    let row = Row::parse(sent, |text| {
        account = Account::parse(text);
        account.as_ref().map(|account| account.id().clone())
    });
    // The target `page` is about those that have no id.
    let Ok(row) = row else { return };
    STOCK
        .with(|stock| {
            let link = LinkId::parse(&Uuid::new_v4().to_string()).expect("a link");
            let stored = store_and_read(stock, &link, &row, account.as_ref());
            stock.runtime.block_on(stored)
        })
        .map_or_else(
            || assert!(text.len() > INCOMPRESSIBLE, "a row of {} bytes", text.len()),
            |stored| assert_equal(text, &row, account.as_ref(), stored),
        );
}

fn filled(input: &[u8]) -> Option<String> {
    let (line, text) = std::str::from_utf8(input).ok()?.split_once('\n')?;
    let (kb, kind) = line.split_once(' ').unwrap_or((line, ""));
    let kb: usize = kb.parse().ok().filter(|kb| *kb < 1_000)?;
    let mut rng = fastrand::Rng::with_seed(7);
    let letter = || {
        if kind == "random" {
            rng.alphanumeric()
        } else {
            'x'
        }
    };
    let filling: String = std::iter::repeat_with(letter).take(kb * 1_024).collect();
    let rest = text.trim_start().strip_prefix('{')?;
    let comma = if rest.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    Some(format!("{{\"filling\":\"{filling}\"{comma}{rest}"))
}

/// What is stored of the row, and its account; `None` if the row was refused.
async fn store_and_read(
    stock: &Stock,
    link: &LinkId,
    row: &Row,
    account: Option<&Account>,
) -> Option<(Listed, Vec<Account>)> {
    let seen = Observation {
        at: Timestamp::now(),
        request: None,
    };
    let accounts = stock.transactions.accounts();
    if let Some(account) = account {
        let put = accounts.put(link, slice::from_ref(account), &seen).await;
        put.expect("a stored account");
    }
    let rows = stock.transactions.rows(Resource::TRANSACTIONS);
    let changes = Changes {
        new: vec![DigestedRow::from(row.clone())],
        ..Changes::default()
    };
    let written = rows.put(link, &changes, &seen).await.expect("an answer");
    let listed = rows.list(link, &Filter::default(), None, 10).await;
    let (mut listed, next) = listed.expect("a listing");
    assert_eq!(next, None);
    let accounts = accounts.of(link).await.expect("accounts");
    stock.transactions.erase(link).await.expect("an erasure");
    if written.refused.is_empty() {
        assert_eq!(listed.len(), 1);
        return listed.pop().map(|listed| (listed, accounts));
    }
    assert_eq!((written.refused, listed.len()), (vec![row.id().clone()], 0));
    None
}

fn assert_equal(
    text: &str,
    row: &Row,
    account: Option<&Account>,
    (stored, accounts): (Listed, Vec<Account>),
) {
    let stored = stored.row;
    assert_eq!(stored.id(), row.id());
    assert_eq!(row.difference_to(&stored), Difference::None);
    assert_eq!(stored.collected_at(), row.collected_at());
    assert_eq!(
        stored.day(Resource::TRANSACTIONS),
        row.day(Resource::TRANSACTIONS)
    );
    assert_eq!(accounts.len(), usize::from(account.is_some()));
    if let (Some(sent), Some(stored)) = (account, accounts.first()) {
        let documents = [sent, stored].map(|account| Value::from(account.document().clone()));
        assert_eq!(difference(&documents[0], &documents[1]), None);
    }
    let (kept, whole) = (stored.text().to_owned(), stored.into_row(accounts.first()));
    match (
        serde_json::from_str(text),
        serde_json::from_str(whole.get()),
    ) {
        (Ok(sent), Ok(whole)) => assert_eq!(difference(&sent, &whole), None),
        // No parser takes it: then it is kept to the letter.
        (Err(_), _) => assert_eq!(kept, row.text()),
        (Ok(_), Err(error)) => panic!("{error}"),
    }
}
