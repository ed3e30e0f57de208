//! A page of a listing. One pass finds its rows and the fields that are needed first
//! (docs/decisions/0050); reading it as plain JSON must find the same.

use domain::{AccountId, Digest, Row, RowError, RowId, SentPage, SentRow, Timestamp};
use serde_json::{Value, value::RawValue};

use crate::slow::Fields;

/// What a page says, read slowly.
struct SlowPage<'a> {
    count: u64,
    next: Option<String>,
    rows: Vec<&'a RawValue>,
}

pub(crate) fn check(page: &[u8]) {
    let Ok(text) = std::str::from_utf8(page) else {
        return;
    };
    let slow = SlowPage::read(text);
    match (SentPage::parse(text.to_owned()), slow) {
        (Ok(page), Some(slow)) => assert_equal(&page, &slow),
        (Err(_), None) => {}
        (Ok(_), None) => panic!("something that is not a page is read"),
        (Err(error), Some(_)) => panic!("a page is refused: {error}"),
    }
}

impl<'a> SlowPage<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let fields = Fields::of(text)?;
        if fields.has_twice(&["count", "next", "results"]) {
            return None;
        }
        let next = fields.last("next").unwrap_or("null");
        Some(Self {
            count: serde_json::from_str(fields.last("count")?).ok()?,
            next: serde_json::from_str(next).ok()?,
            rows: serde_json::from_str(fields.last("results")?).ok()?,
        })
    }
}

fn assert_equal(page: &SentPage, slow: &SlowPage<'_>) {
    assert_eq!((page.count, &page.next), (slow.count, &slow.next));
    let texts: Vec<_> = page.rows.texts().collect();
    let slow: Vec<_> = slow.rows.iter().map(|row| row.get()).collect();
    assert_eq!(texts, slow);
    assert_eq!(page.rows.len(), slow.len());
    for (sent, text) in page.rows.iter().zip(slow) {
        match (sent, Fields::of(text)) {
            (Ok(sent), Some(fields)) => assert_row(sent, text, &fields),
            (Err(RowError::Unreadable), None) => {}
            (sent, _) => panic!("{:?} of {text}", sent.map(|_| "a row")),
        }
    }
}

fn assert_row(sent: SentRow<'_>, text: &str, fields: &Fields<'_>) {
    let id = fields.text("id");
    let id = id.and_then(|id| RowId::parse(&id).ok());
    let mut asked = None;
    let row = Row::parse(sent, |account| {
        asked = Some(account.to_owned());
        account_id(account)
    });
    let (row, id) = match (row, id) {
        (Ok(row), Some(id)) => (row, id),
        (Err(RowError::NoId), None) => return,
        (row, id) => panic!("{:?} with the id {id:?}", row.map(|_| "a row")),
    };
    assert_eq!(row.id(), &id);
    assert_eq!(asked.as_deref(), fields.last("account"));
    let at = fields.text("collected_at");
    assert_eq!(row.collected_at(), at.and_then(|at| Timestamp::parse(&at)));
    assert_digest(&row, text, fields);
}

/// The digest is that of the row's text, in which an account's id stands for the whole account.
fn assert_digest(row: &Row, text: &str, fields: &Fields<'_>) {
    let account = fields.last("account");
    let Some(id) = account.and_then(account_id) else {
        assert_eq!((row.text(), row.digest()), (text, Digest::of(text)));
        return;
    };
    let whole = account.expect("an account");
    let start = whole.as_ptr().addr() - text.as_ptr().addr();
    let (before, after) = (&text[..start], &text[start + whole.len()..]);
    let expected = format!("{before}\"{id}\"{after}");
    assert_eq!(
        (row.text(), row.digest()),
        (&*expected, Digest::of(&expected))
    );

    // Where the text is plain JSON, nothing but the account differs.
    let values = [text, row.text()].map(serde_json::from_str::<Value>);
    let [Ok(mut sent), Ok(taken)] = values else {
        return;
    };
    sent["account"] = Value::from(id.as_str());
    assert_eq!(taken, sent);
}

/// The id of a whole account.
fn account_id(account: &str) -> Option<AccountId> {
    if !account.starts_with('{') {
        return None;
    }
    let id = Fields::of(account)?.text("id")?;
    AccountId::parse(&id).ok()
}
