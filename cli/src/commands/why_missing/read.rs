//! Reads what the API says about a row that is missed.

use domain::{LinkId, RowId, parse_date};
use futures::future::try_join_all;
use time::Date;

use super::facts::{Elsewhere, Facts, RESOURCE, RowsOfDay};
use crate::{
    CliError,
    api::{Api, History, Link, LinkRequests, Listed, Original, Transactions},
};

pub(super) async fn facts(
    api: &Api,
    link: LinkId,
    day: Option<Date>,
    id: Option<RowId>,
) -> Result<Facts, CliError> {
    let record: Option<Link> = api.find(&format!("/links/{link}"), &[]).await?;
    let history = history(api, &link, id.as_ref()).await?;
    let day = day.or_else(|| day_of(history.as_ref()?));
    let listed = match day {
        Some(day) => Some(rows_of_day(api, &link, day).await?),
        None => None,
    };
    let external_id = record.as_ref().and_then(|link| link.external_id.as_deref());
    let elsewhere = elsewhere(api, &link, external_id, day, id.as_ref()).await?;
    let mut page: LinkRequests = api
        .get(&format!("/links/{link}/requests"), &[("limit", "500")])
        .await?;
    page.requests.retain(|request| request.resource == RESOURCE);
    page.unconfirmed.retain(|one| one.resource == RESOURCE);
    Ok(Facts {
        link,
        day,
        id,
        record,
        history,
        listed,
        requests: page.requests,
        unconfirmed: page.unconfirmed,
        elsewhere,
    })
}

/// A row with its last versions.
async fn history(
    api: &Api,
    link: &LinkId,
    id: Option<&RowId>,
) -> Result<Option<History>, CliError> {
    let Some(id) = id else {
        return Ok(None);
    };
    let path = format!("/links/{link}/transactions/{id}/history");
    let mut found: Option<History> = api.find(&path, &[("limit", "500")]).await?;
    while let Some(cursor) = found
        .as_ref()
        .and_then(|history| history.next_cursor.clone())
    {
        found = api
            .find(&path, &[("limit", "500"), ("cursor", &cursor)])
            .await?;
    }
    Ok(found)
}

fn day_of(history: &History) -> Option<Date> {
    parse_date(history.versions.last()?.day.as_deref()?)
}

/// The rows of a day, page by page.
async fn rows_of_day(api: &Api, link: &LinkId, day: Date) -> Result<RowsOfDay, CliError> {
    let (path, day) = (format!("/links/{link}/transactions"), day.to_string());
    let mut rows = RowsOfDay::default();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![
            ("date_from", day.as_str()),
            ("date_to", &day),
            ("limit", "500"),
        ];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: Transactions = api.get(&path, &query).await?;
        rows.add(&page.rows, page.same_as.into_values());
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(rows),
        }
    }
}

impl RowsOfDay {
    fn add(&mut self, rows: &[Listed], mut originals: impl Iterator<Item = Original>) {
        self.count += rows.len();
        self.original = self.original.take().or_else(|| originals.next());
    }
}

/// What the other links of an external id have. An id of a row, or a day, leads to a person's older
/// or newer link of the same account.
async fn elsewhere(
    api: &Api,
    link: &LinkId,
    external_id: Option<&str>,
    day: Option<Date>,
    id: Option<&RowId>,
) -> Result<Vec<Elsewhere>, CliError> {
    let Some(external_id) = external_id else {
        return Ok(Vec::new());
    };
    let query = [("external_id", external_id)];
    let links: Vec<Link> = api.all("/links", &query, "links").await?;
    let others = links.into_iter().filter(|other| other.id != *link);
    let read = others.map(async |other| {
        let rows_of_day = match day {
            Some(day) => rows_of_day(api, &other.id, day).await?.count,
            None => 0,
        };
        Ok(Elsewhere {
            history: history(api, &other.id, id).await?,
            link: other.id,
            rows_of_day,
        })
    });
    try_join_all(read).await
}
