//! Why a row is missing: a pure function over the facts.

use domain::{LinkId, RequestId, Timestamp};
use serde::Serialize;

use super::facts::{Elsewhere, Facts, RESOURCE, Reading, RowsOfDay};
use crate::{
    api::{Blocked, History, Request, Status, Version},
    commands::request::days,
    output::since,
};

/// Why a row is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    ThereAfterAll,
    /// The day alone was given.
    AmongThoseOfTheDay,
    DeletedByBelvo,
    LeftOut,
    UnderAnotherLink,
    NeverAskedFor,
    UnderWay,
    Short,
    Blocked,
    Failed,
    OutsideEveryWindow,
    NotAtBelvo,
}

/// The cause, what shows it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    pub(crate) cause: Cause,
    pub(crate) evidence: Vec<Evidence>,
    /// Commands, or what a person has to do.
    pub(crate) next: Vec<String>,
}

/// Something that shows the cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Evidence {
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<LinkId>,
}

impl Cause {
    /// The cause in a sentence.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::ThereAfterAll => "It is there after all",
            Self::AmongThoseOfTheDay => "Rows of that day are stored: look for it among them",
            Self::DeletedByBelvo => "Belvo no longer has it",
            Self::LeftOut => "Belvo has it, and it could not be stored",
            Self::UnderAnotherLink => "It is stored under another link of the same user",
            Self::NeverAskedFor => "Nobody ever asked for this link's transactions",
            Self::UnderWay => "It may still come: a request is under way",
            Self::Short => "Belvo counts or declared more rows than it lists",
            Self::Blocked => "The link is blocked until its user acts",
            Self::Failed => "The request that should have brought it ended without rows",
            Self::OutsideEveryWindow => "No reading of the link had that day",
            Self::NotAtBelvo => "Belvo did not list it when the day was read",
        }
    }
}

impl Evidence {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            at: None,
            request: None,
            link: None,
        }
    }

    fn at(self, at: Option<Timestamp>) -> Self {
        Self { at, ..self }
    }

    fn by(self, request: Option<&RequestId>) -> Self {
        Self {
            request: request.cloned(),
            ..self
        }
    }

    fn under(self, link: &LinkId) -> Self {
        Self {
            link: Some(link.clone()),
            ..self
        }
    }
}

/// Says why the row is missing. What is known of the row itself goes before what is known of its
/// day, and what will bring it before what did not.
#[must_use]
pub(crate) fn answer(facts: &Facts) -> Answer {
    of_the_row(facts)
        .or_else(|| unknown_link(facts))
        .or_else(|| under_way(facts))
        .or_else(|| short(facts))
        .or_else(|| of_the_day(facts))
        .unwrap_or_else(|| unread(facts))
}

/// What the named row itself tells.
fn of_the_row(facts: &Facts) -> Option<Answer> {
    let id = facts.id.as_ref()?;
    if let Some(history) = &facts.history {
        return of_history(facts, history);
    }
    let mut left_out = facts
        .record
        .iter()
        .filter_map(|link| link.left_out.get(RESOURCE));
    let is_left_out = left_out.any(|rows| rows.iter().any(|row| row.id.as_ref() == Some(id)));
    if is_left_out {
        return Some(left_out_answer(facts));
    }
    let other = facts.elsewhere.iter().find(|other| is_stored(other))?;
    let evidence = Evidence::new("stored under a link of the same external id").under(&other.link);
    Some(Answer {
        cause: Cause::UnderAnotherLink,
        evidence: vec![evidence],
        next: vec![format!("belvo-ingest why-missing {} --id {id}", other.link)],
    })
}

fn is_stored(other: &Elsewhere) -> bool {
    let latest = other
        .history
        .as_ref()
        .and_then(|history| history.versions.last());
    latest.is_some_and(|latest| !latest.deleted)
}

fn of_history(facts: &Facts, history: &History) -> Option<Answer> {
    let latest = history.versions.last()?;
    if latest.deleted {
        return Some(deleted(facts, latest));
    }
    let day = latest.day.as_deref().unwrap_or("no day");
    let stored = Evidence::new(format!("stored under {day}"))
        .at(Some(latest.observed_at))
        .by(latest.observed_by.as_ref());
    let duplicate = history.same_as.as_ref().map(|original| {
        let what = format!("marked as a duplicate of the row {}", original.id);
        Evidence::new(what).under(&original.link)
    });
    Some(Answer {
        cause: Cause::ThereAfterAll,
        evidence: std::iter::once(stored).chain(duplicate).collect(),
        next: Vec::new(),
    })
}

fn deleted(facts: &Facts, latest: &Version) -> Answer {
    let seen = Evidence::new("its last version was first seen")
        .at(Some(latest.observed_at))
        .by(latest.observed_by.as_ref());
    let gone = Evidence::new("asked for it, Belvo no longer had it")
        .at(latest.until)
        .by(latest.deleted_by.as_ref());
    Answer {
        cause: Cause::DeletedByBelvo,
        evidence: vec![seen, gone],
        next: vec![collect(facts)],
    }
}

fn left_out_answer(facts: &Facts) -> Answer {
    let link = facts.record.iter();
    let rows = link
        .filter_map(|link| link.left_out.get(RESOURCE))
        .flatten();
    let evidence = rows.map(|row| {
        let id = row
            .id
            .as_ref()
            .map_or("a row without a usable id", |id| id.as_str());
        let reason = serde_json::to_value(row.reason).unwrap_or_default();
        Evidence::new(format!("{id}: {}", reason.as_str().unwrap_or("unknown")))
    });
    Answer {
        cause: Cause::LeftOut,
        evidence: evidence.collect(),
        next: vec![
            "send Belvo the id of the row, and let it be corrected there".to_owned(),
            collect(facts),
        ],
    }
}

fn unknown_link(facts: &Facts) -> Option<Answer> {
    let is_unknown = match &facts.record {
        None => true,
        Some(link) => {
            let is_collected = link.collected.contains_key(RESOURCE);
            let is_asked = !facts.requests.is_empty() || !facts.unconfirmed.is_empty();
            !is_collected && !is_asked && link.blocked.is_none()
        }
    };
    let what = match &facts.record {
        None => "nothing is known about the link: is the id right?",
        Some(_) => "there is no request, and nothing was collected",
    };
    let next = facts.record.as_ref().map(|_| collect(facts)).into_iter();
    is_unknown.then(|| Answer {
        cause: Cause::NeverAskedFor,
        evidence: vec![Evidence::new(what)],
        next: next.chain([backfill(facts)]).collect(),
    })
}

fn under_way(facts: &Facts) -> Option<Answer> {
    if let Some(request) = facts.request_where(|request| request.status.is_open()) {
        let due = request.due_at.map(|at| {
            Evidence::new("checked at the latest")
                .at(Some(at))
                .by(Some(&request.id))
        });
        let open = of_request(request, request.status.name());
        return Some(Answer {
            cause: Cause::UnderWay,
            evidence: std::iter::once(open).chain(due).collect(),
            next: vec![format!("belvo-ingest tail {}", request.id)],
        });
    }
    let mut unconfirmed = facts.unconfirmed.iter();
    let sent =
        unconfirmed.find(|one| facts.is_about(one.date_from.as_deref(), one.date_to.as_deref()))?;
    let what = "sent to Belvo, whose answer was lost; its webhook may still come";
    Some(Answer {
        cause: Cause::UnderWay,
        evidence: vec![Evidence::new(what).at(Some(sent.since))],
        next: vec![format!("belvo-ingest link {}", facts.link)],
    })
}

fn short(facts: &Facts) -> Option<Answer> {
    let latest = facts.readings().into_iter().next()?;
    if !latest.is_short() {
        return None;
    }
    let by_request = latest.request.as_ref();
    let request = facts
        .requests
        .iter()
        .find(|request| Some(&request.id) == by_request);
    let compared = request.iter().flat_map(|request| &request.compared);
    let compared = compared
        .filter(|check| check.verdict.starts_with("short"))
        .map(|check| {
            let what = format!("{}: Belvo {}, here {}", check.what, check.belvo, check.ours);
            Evidence::new(what).by(by_request)
        });
    let again = request.and_then(|request| request.due_at).map(|at| {
        Evidence::new("fetched again by itself")
            .at(Some(at))
            .by(by_request)
    });
    Some(Answer {
        cause: Cause::Short,
        evidence: [of_reading(&latest)]
            .into_iter()
            .chain(compared)
            .chain(again)
            .collect(),
        next: vec![collect(facts)],
    })
}

/// What the stored rows of the day, and the readings that had it, tell.
fn of_the_day(facts: &Facts) -> Option<Answer> {
    let listed = facts.listed.as_ref().filter(|_| facts.id.is_none());
    if let Some(rows) = listed.filter(|rows| rows.count > 0) {
        return Some(among_those_of_the_day(facts, rows));
    }
    if let Some(other) = facts.elsewhere.iter().find(|other| other.rows_of_day > 0) {
        let what = format!("{} rows of that day are stored there", other.rows_of_day);
        return Some(Answer {
            cause: Cause::UnderAnotherLink,
            evidence: vec![Evidence::new(what).under(&other.link)],
            next: vec![format!("belvo-ingest link {}", other.link)],
        });
    }
    let latest = facts.readings().into_iter().next()?;
    // Belvo may have got it since, and what should have brought it did not.
    if let Some(hindrance) = hindrance(facts, Some(latest.at)) {
        return Some(hindrance);
    }
    if facts.id.is_none() && has_left_out(facts) {
        return Some(left_out_answer(facts));
    }
    Some(Answer {
        cause: Cause::NotAtBelvo,
        evidence: vec![of_reading(&latest)],
        next: vec![collect(facts), backfill(facts)],
    })
}

fn among_those_of_the_day(facts: &Facts, rows: &RowsOfDay) -> Answer {
    let stored = Evidence::new(format!("{} rows of that day are stored", rows.count));
    let duplicate = rows.original.as_ref().map(|original| {
        let what = "some are marked as duplicates of rows of another link";
        Evidence::new(what).under(&original.link)
    });
    let latest = facts.readings().first().map(of_reading);
    let left_out = has_left_out(facts).then(|| {
        let what = "rows of the link could not be stored, perhaps one of that day";
        Evidence::new(what)
    });
    Answer {
        cause: Cause::AmongThoseOfTheDay,
        evidence: std::iter::once(stored)
            .chain(duplicate)
            .chain(latest)
            .chain(left_out)
            .collect(),
        next: vec![
            format!("belvo-ingest why-missing {} --id <row>", facts.link),
            format!("belvo-ingest link {}", facts.link),
        ],
    }
}

fn has_left_out(facts: &Facts) -> bool {
    let mut links = facts.record.iter();
    links.any(|link| link.left_out.contains_key(RESOURCE))
}

/// Why no reading had the day.
fn unread(facts: &Facts) -> Answer {
    hindrance(facts, None).unwrap_or_else(|| outside_every_window(facts))
}

/// What kept the day from being read since then: a block, or else a request that failed, or that
/// was sent and expired.
fn hindrance(facts: &Facts, since: Option<Timestamp>) -> Option<Answer> {
    let block = facts.record.as_ref().and_then(|link| link.blocked.as_ref());
    if let Some(block) = block.filter(|block| Some(block.since) > since) {
        return Some(blocked(facts, block));
    }
    let has_ended = |request: &Request| match request.status {
        Status::Failed => request.since() > since,
        Status::Expired => request.issued_at > since,
        _ => false,
    };
    let request = facts.request_where(has_ended)?;
    let failure = request.failure.as_ref();
    let what = failure.map_or_else(
        || "no webhook came, and Belvo had no rows of it".to_owned(),
        |failure| format!("{}: {}", failure.code, failure.message),
    );
    let next = crate::commands::request::next(request);
    Some(Answer {
        cause: Cause::Failed,
        evidence: vec![of_request(request, &what)],
        next: next.into_iter().chain([backfill(facts)]).collect(),
    })
}

fn outside_every_window(facts: &Facts) -> Answer {
    let windows = facts.requests.iter().take(3).map(|request| {
        let window = request.window();
        let window = window.map_or_else(
            || "Belvo's own refresh".to_owned(),
            |(from, to)| format!("asked for {from} to {to}"),
        );
        of_request(request, &window)
    });
    let record = facts.record.as_ref();
    let last = record
        .and_then(|link| link.collected.get(RESOURCE))
        .map(|last| Evidence::new(format!("last read: {}", days(&last.days))).at(Some(last.at)));
    Answer {
        cause: Cause::OutsideEveryWindow,
        evidence: windows.chain(last).collect(),
        next: vec![collect(facts), backfill(facts)],
    }
}

fn blocked(facts: &Facts, block: &Blocked) -> Answer {
    Answer {
        cause: Cause::Blocked,
        evidence: vec![Evidence::new(&block.reason).at(Some(block.since))],
        next: vec![block.remedy.clone(), collect(facts)],
    }
}

fn of_request(request: &Request, what: &str) -> Evidence {
    Evidence::new(what)
        .at(request.since())
        .by(Some(&request.id))
}

fn of_reading(reading: &Reading) -> Evidence {
    let what = format!("read {}: {}", days(&reading.days), reading.verdict);
    Evidence::new(what)
        .at(Some(reading.at))
        .by(reading.request.as_ref())
}

/// Reads what Belvo has, which is free.
fn collect(facts: &Facts) -> String {
    match facts.day {
        Some(day) => {
            format!(
                "belvo-ingest collect {} --from {day} --to {day} --wait",
                facts.link
            )
        }
        None => format!("belvo-ingest collect {} --wait", facts.link),
    }
}

/// Lets Belvo ask the bank, which spends a retrieval.
fn backfill(facts: &Facts) -> String {
    let day = facts
        .day
        .map_or_else(|| "DAY".to_owned(), |day| day.to_string());
    format!(
        "belvo-ingest backfill {} --from {day} --to {day}",
        facts.link
    )
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        if let Some(at) = self.at {
            write!(f, ", {}", since(at, Timestamp::now()))?;
        }
        if let Some(request) = &self.request {
            write!(f, ", by the request {request}")?;
        }
        if let Some(link) = &self.link {
            write!(f, ", link {link}")?;
        }
        Ok(())
    }
}
