//! Rows that are stored and missing from Belvo's listing. That is no proof that they are gone: a
//! pending row that is booked on another day leaves the days that were asked for. Only what Belvo
//! does not have when it is asked for the very row is marked as deleted.

use std::collections::{BTreeSet, HashMap};

use domain::{Comparison, Days, NO_DATE, RowId, parse_date};
use futures::future::join_all;
use lambda_runtime::tracing;
use shared::{advice::Advice, belvo::BelvoError, cause::chain, telemetry::Event};

use crate::{
    CollectError,
    fetch::{Fetch, Step},
};

impl Fetch<'_> {
    /// Asks Belvo for each of these rows. One that it has is stored as it is now. One for which it
    /// gives no answer stays: it must not hold up the others.
    pub(crate) async fn ask(&mut self, ids: &[RowId]) -> Result<Step, CollectError> {
        let (belvo, resource) = (self.belvo, self.query.resource);
        let answers = join_all(ids.iter().map(|id| belvo.row(resource, id))).await;
        let mut interrupted = None;
        for (id, answer) in ids.iter().zip(answers) {
            match answer {
                Ok(Some(row)) => {
                    let mut comparison = Comparison::default();
                    let (rows, _) = self.parse(&mut BTreeSet::new(), &row);
                    let day = rows.first().map(|row| row.day(resource));
                    self.store_rows(&mut comparison, rows).await?;
                    let day = day.as_deref().unwrap_or(NO_DATE);
                    self.progress.found(id, day, comparison.changed);
                }
                Ok(None) => self.progress.absent(id),
                Err(error @ BelvoError::Interrupted { .. }) => interrupted = Some(error),
                Err(error) if error.advice() == Advice::Alarm => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(
                        event = Event::RowUnanswered.name(),
                        link.id = self.query.link.as_str(),
                        row.id = id.as_str(),
                        cause = %chain(&error),
                        "Belvo does not say whether it has a row"
                    );
                    self.progress.unanswered(id);
                }
            }
        }
        match interrupted {
            Some(error) => Err(error.into()),
            None => Ok(Step::Taken),
        }
    }

    /// Marks rows as deleted that Belvo does not have. What is older than everything that Belvo
    /// lists is shown as before and no longer compared: Belvo may keep a link's history for a time
    /// only (`stale_in`), and what it no longer keeps has not been deleted at the institution.
    pub(crate) async fn remove(&mut self, ids: &[RowId]) -> Result<Step, CollectError> {
        let (link, in_days) = (&self.query.link, self.progress.days());
        let days = self.rows.days_of(link, ids).await?;
        let oldest = self.oldest_listed(days.values()).await?;
        let is_kept = |id: &&RowId| is_since(oldest.as_deref(), &days, id);
        let (deleted, unlisted): (Vec<_>, Vec<_>) =
            ids.iter().cloned().partition(|id| is_kept(&id));

        let seen = self.observation();
        let marked = self.rows.tombstone(link, in_days, &deleted, &seen).await?;
        if !unlisted.is_empty() {
            self.rows.unlist(link, in_days, &unlisted).await?;
            tracing::info!(
                event = Event::RowsNoLongerListed.name(),
                link.id = link.as_str(),
                rows = unlisted.len(),
                "kept rows that are older than everything that Belvo still lists"
            );
        }
        self.progress.removed(marked);
        Ok(Step::Taken)
    }

    /// The earliest of these days for which Belvo lists a row of that day or of an earlier one.
    async fn oldest_listed(
        &self,
        days: impl Iterator<Item = &String>,
    ) -> Result<Option<String>, CollectError> {
        let days: BTreeSet<_> = days.filter(|day| *day != NO_DATE).collect();
        let mut days: &[_] = &days.into_iter().collect::<Vec<_>>();
        let mut oldest = None;
        while let Some(middle) = days.get(days.len() / 2) {
            let until = parse_date(middle).map_or(Days::ALL, Days::until);
            if self.belvo.count(&self.of_days(until)).await? > 0 {
                oldest = Some((*middle).clone());
                days = &days[..days.len() / 2];
            } else {
                days = &days[days.len() / 2 + 1..];
            }
        }
        Ok(oldest)
    }
}

/// Whether a row has no date, or is not older than `oldest`.
fn is_since(oldest: Option<&str>, days: &HashMap<RowId, String>, id: &RowId) -> bool {
    match days.get(id).map(String::as_str) {
        Some(day) if day != NO_DATE => oldest.is_some_and(|oldest| oldest <= day),
        _ => true,
    }
}
