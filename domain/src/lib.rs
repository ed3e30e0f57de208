//! The pipeline's own terms, free of I/O: what a link, a window, a transaction and a request are,
//! and how two states of the same window differ.

mod account;
mod answer;
mod block;
mod change;
mod collection;
mod days;
mod digest;
mod facts;
mod fields;
mod hidden;
mod history;
mod id;
mod intent;
mod known_fields;
mod last_collection;
mod left_out;
mod link;
mod link_filter;
mod listing;
mod news;
mod news_place;
mod overdue;
mod progress;
mod quota;
mod reconcile;
mod request;
mod resource;
mod retrieval;
mod row;
mod scrub;
mod sent;
mod sequence;
mod spacing;
mod timestamp;
mod unknown;
mod webhook;
mod window;

pub use self::{
    account::{Account, Holder},
    answer::{Candidate, UnnamedWebhook},
    block::{Block, BlockReason},
    change::{Change, ChangeKind, LogHead, Unread},
    collection::{Check, Collection, Declared, StoredTotals, Tally, Verdict},
    days::Days,
    digest::Digest,
    facts::{Fact, Facts, Status, Step, Write},
    fields::{Fields, text_of},
    hidden::Hidden,
    history::{Balance, Observation, Version},
    id::{AccountId, LinkId, RequestId, RowId, WebhookId},
    intent::{Conflict, Intent, Resolution, SENDING_S, Unconfirmed},
    known_fields::{FieldChanges, FieldNames, KnownFields, add_names},
    last_collection::{AskedCollection, LastCollection},
    left_out::{LeftOut, Reason},
    link::{
        Connection, Consent, Deletion, Erased, LinkDue, LinkEvent, LinkRecord, OnDeletion,
        silence_percent,
    },
    link_filter::{Blocked, LinkFilter},
    listing::{Filter, Listed},
    news::{LinkState, Readable},
    news_place::{LinkNews, NewsPlace},
    overdue::{Deadlines, FetchResult, Outcome, OverdueCheck, SweepDecision},
    progress::{Next, Part, Progress},
    quota::{Limits, Quota, QuotaHolder, QuotaMonth, Refusal, RetrievalClass},
    reconcile::{Changes, Comparison, DigestedRow, KnownVersion},
    request::{Failure, GAVE_UP, RequestRecord},
    resource::{Dates, Direction, RESOURCES, Resource},
    retrieval::{Retrieval, RowQuery},
    row::{Difference, NO_DATE, Row, RowRef},
    scrub::ScrubPeriod,
    sent::{RowError, SentPage, SentRow, SentRows},
    sequence::Sequence,
    spacing::Spacing,
    timestamp::Timestamp,
    unknown::UnknownLinks,
    webhook::WebhookOutcome,
    window::{Window, day_of, parse_date},
};
