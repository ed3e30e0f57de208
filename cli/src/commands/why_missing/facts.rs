//! What is known about a row that somebody misses.

use domain::{Days, LinkId, RequestId, RowId, Timestamp};
use time::Date;

use crate::api::{History, Link, Original, Request, Unconfirmed};

/// The only resource of whose rows this can be asked.
pub(crate) const RESOURCE: &str = "transactions";

/// What is missed, and what the API says about it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) link: LinkId,
    /// As asked, or as the row says.
    pub(crate) day: Option<Date>,
    pub(crate) id: Option<RowId>,
    /// `None` if nothing is known about the link.
    pub(crate) record: Option<Link>,
    /// `None` if the row was never stored for the link.
    pub(crate) history: Option<History>,
    pub(crate) listed: Option<RowsOfDay>,
    /// Of transactions, latest first.
    pub(crate) requests: Vec<Request>,
    pub(crate) unconfirmed: Vec<Unconfirmed>,
    /// The other links of the same external id.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// The stored rows of the day.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowsOfDay {
    pub(crate) count: usize,
    /// The first of them that duplicates a row of another link.
    pub(crate) original: Option<Original>,
}

/// What another link of the same external id has.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    pub(crate) link: LinkId,
    pub(crate) history: Option<History>,
    pub(crate) rows_of_day: usize,
}

/// One time that Belvo's rows were read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) at: Timestamp,
    pub(crate) days: Days,
    /// `None` for a refresh of Belvo's own, and for a reading that somebody asked for.
    pub(crate) request: Option<RequestId>,
    pub(crate) verdict: String,
}

impl Facts {
    /// The readings of all accounts that had the day, latest first. One before the day has ended
    /// could not have had all of it, but the day must have begun.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        let of_requests = self.requests.iter().filter_map(Reading::of_request);
        let of_link = self.record.iter().filter_map(Reading::of_link);
        let mut readings: Vec<_> = of_requests.chain(of_link).collect();
        readings.retain(|reading| self.day.is_none_or(|day| reading.had(day)));
        readings.sort_by_key(|reading| std::cmp::Reverse(reading.at));
        readings
    }

    /// Whether what was requested holds the day, as far as is known.
    pub(crate) fn is_about(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let window = from
            .and_then(domain::parse_date)
            .zip(to.and_then(domain::parse_date));
        match (self.day, window) {
            (Some(day), Some((from, to))) => (from..=to).contains(&day),
            _ => true,
        }
    }

    /// The latest request about the day that passes a test.
    pub(crate) fn request_where(&self, test: impl Fn(&Request) -> bool) -> Option<&Request> {
        let about = |request: &&Request| {
            self.is_about(request.date_from.as_deref(), request.date_to.as_deref())
        };
        self.requests
            .iter()
            .filter(about)
            .find(|request| test(request))
    }
}

impl Reading {
    fn of_request(request: &Request) -> Option<Self> {
        let collection = request.collection.as_ref()?;
        request.account.is_none().then(|| Self {
            at: collection.finished_at,
            days: collection.days,
            request: Some(request.id.clone()),
            verdict: request.verdict.clone().unwrap_or_default(),
        })
    }

    fn of_link(link: &Link) -> Option<Self> {
        let last = link.collected.get(RESOURCE)?;
        last.account.is_none().then(|| Self {
            at: last.at,
            days: last.days,
            request: None,
            verdict: last.verdict.clone(),
        })
    }

    fn had(&self, day: Date) -> bool {
        self.days.covers(Days::between(day, day)) && self.at.day() >= day
    }

    pub(crate) fn is_short(&self) -> bool {
        self.verdict.starts_with("short")
    }
}
