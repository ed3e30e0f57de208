//! Which days a webhook is about. It is unsigned and its payload mostly undocumented, so nothing in
//! it narrows them (docs/decisions/0008).
//!
//! | webhook | days |
//! |---|---|
//! | answers a request of ours | the requested ones, if the listing filters by the same date |
//! | announces new rows | the latest ones; all of the link's if the row counts then differ |
//! | announces changed or deleted rows, a link's history, or anything unknown | all of the link's |

use domain::{Days, LinkId, Retrieval, Timestamp, parse_date};
use shared::{queue::Coverage, store::Rows};
use time::Duration;

use crate::CollectError;

/// How far before the newest stored row the new rows of a refresh are looked for. A refresh reads
/// the last six days again ("OFDA Brazil Data Retrieval Limits"), and finds transactions "from a
/// few days ago that were only just added" (webhooks of transactions, Belvo's documentation).
const OVERLAP: Duration = Duration::days(10);
/// Codes that announce new rows and nothing else.
const NEW_ROWS_CODES: [&str; 2] = ["new_transactions_available", "new_transactions_updated"];

/// The days that a message asks for, and whether they are known to hold all its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DaysToFetch {
    pub(crate) days: Days,
    pub(crate) coverage: Coverage,
}

impl DaysToFetch {
    pub(super) fn certain(days: Days) -> Self {
        Self {
            days,
            coverage: Coverage::Certain,
        }
    }
}

/// The narrowest span of days that holds what a webhook is about.
pub(super) async fn of_webhook(
    rows: &Rows,
    code: &str,
    retrieval: &Retrieval,
) -> Result<DaysToFetch, CollectError> {
    if retrieval.window.is_some() {
        return Ok(DaysToFetch::certain(retrieval.rows().days));
    }
    if NEW_ROWS_CODES.contains(&code) {
        return latest(rows, &retrieval.link).await;
    }
    Ok(DaysToFetch::certain(Days::ALL))
}

/// The days that new rows of a link usually have.
async fn latest(rows: &Rows, link: &LinkId) -> Result<DaysToFetch, CollectError> {
    let newest = rows.newest_day(link).await?;
    let newest = newest.and_then(|day| parse_date(&day));
    Ok(match newest {
        Some(day) => DaysToFetch {
            days: Days::since(day.min(Timestamp::now().day()) - OVERLAP),
            coverage: Coverage::Likely,
        },
        None => DaysToFetch::certain(Days::ALL),
    })
}
