//! The pipeline's own terms, free of I/O: what a link, a window, a transaction and a request are,
//! and how two states of the same window differ.

mod account;
mod block;
mod collection;
mod days;
mod digest;
mod facts;
mod id;
mod intent;
mod link;
mod overdue;
mod progress;
mod quota;
mod reconcile;
mod request;
mod resource;
mod retrieval;
mod row;
mod timestamp;
mod window;

pub use account::Account;
pub use block::{Block, BlockReason};
pub use collection::{Check, Collection, Declared, Measure, StoredTotals, Verdict};
pub use days::Days;
pub use digest::Digest;
pub use facts::{Fact, Facts, Status, Step, Write};
pub use id::{AccountId, IdError, LinkId, RequestId, RowId};
pub use intent::{Conflict, Intent, Resolution, SENDING_S, UNKNOWN_S};
pub use link::{Connection, Consent, Deletion, LinkEvent, LinkRecord, OnDeletion};
pub use overdue::{Deadlines, FetchResult, Outcome, OverdueCheck, SweepDecision};
pub use progress::{Part, Progress};
pub use quota::{Limits, Quota, QuotaHolder, QuotaMonth, RetrievalClass};
pub use reconcile::{Changes, DigestedRow, KnownVersion, Plan};
pub use request::{Failure, GAVE_UP, RequestRecord};
pub use resource::{Dates, Direction, RESOURCES, Resource};
pub use retrieval::{Retrieval, RowQuery};
pub use row::{Row, RowError, RowRef};
pub use timestamp::Timestamp;
pub use window::{Window, WindowError, parse_date};
