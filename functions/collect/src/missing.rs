//! Rows that are stored and missing from Belvo's listing. That is no proof that they are gone: a
//! pending row that is booked on another day leaves the days that were asked for. Only what Belvo
//! does not have when it is asked for the very row is marked as deleted.

use std::collections::{BTreeSet, HashMap};

use domain::{Comparison, Days, NO_DATE, RowId, parse_date};
use futures::future::try_join_all;
use lambda_runtime::tracing;
use shared::telemetry::Event;

use crate::{
    CollectError,
    fetch::{Fetch, Step},
};

impl Fetch<'_> {
    /// Asks Belvo for each of these rows. One that it has is stored as it is now; the others are
    /// removed.
    pub(crate) async fn ask(&mut self, ids: &[RowId]) -> Result<Step, CollectError> {
        let (belvo, resource) = (self.belvo, self.query.resource);
        let answers = try_join_all(ids.iter().map(|id| belvo.row(resource, id))).await?;

        let mut gone = Vec::new();
        for (id, answer) in ids.iter().zip(answers) {
            let Some(row) = answer else {
                gone.push(id.clone());
                continue;
            };
            let mut comparison = Comparison::default();
            let rows = self.parse(&mut BTreeSet::new(), &[row]);
            self.store_rows(&mut comparison, rows).await?;
            self.progress.found(id, comparison.changed);
        }
        if gone.is_empty() {
            return Ok(Step::Prepared);
        }
        self.remove(&gone).await
    }

    /// Marks rows as deleted that Belvo does not have. What is older than everything that Belvo
    /// lists stays: Belvo keeps a link's history for a time (`stale_in`), and what it no longer
    /// keeps has not been deleted at the institution.
    pub(crate) async fn remove(&mut self, ids: &[RowId]) -> Result<Step, CollectError> {
        let link = &self.query.link;
        let days = self.rows.days_of(link, ids).await?;
        let oldest = self.oldest_listed(days.values()).await?;
        let is_kept = |id: &&RowId| is_since(oldest.as_deref(), &days, id);
        let (marked, kept): (Vec<_>, Vec<_>) = ids.iter().partition(is_kept);

        let seen = self.observation();
        let marked: Vec<_> = marked.into_iter().cloned().collect();
        self.rows
            .tombstone(link, self.progress.days(), &marked, &seen)
            .await?;
        for id in &marked {
            self.progress.removed(id, true);
        }
        if !kept.is_empty() {
            tracing::info!(
                event = Event::RowsNoLongerListed.name(),
                link.id = link.as_str(),
                rows = kept.len(),
                "kept rows that are older than everything that Belvo still lists"
            );
        }
        for id in kept {
            self.progress.removed(id, false);
        }
        Ok(Step::Prepared)
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
