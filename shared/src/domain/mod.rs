//! The pipeline's own terms, free of I/O: what a link, a window, a transaction and a request are,
//! and how two states of the same window differ.

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
mod timestamp;
mod transaction;
mod window;

pub use block::{Block, BlockReason};
pub use collection::{Check, Collection, Declared, Measure, Stock, Verdict};
pub use days::Days;
pub use digest::Digest;
pub use facts::{Fact, Facts, Status, Step, Write};
pub use id::{AccountId, IdError, LinkId, RequestId, TransactionId};
pub use intent::{Conflict, Intent, Resolution, SENDING_S, UNKNOWN_S};
pub use link::{Connection, Consent, Deletion, LinkEvent, LinkRecord, OnDeletion};
pub use overdue::{Deadlines, FetchResult, Outcome, OverdueCheck, SweepDecision};
pub use progress::{Part, Progress};
pub use quota::{Limits, Quota, QuotaHolder, QuotaMonth, RetrievalClass};
pub use reconcile::{Changes, Fingerprinted, Plan, Stored};
pub use request::{Failure, GAVE_UP, RequestRecord};
pub use resource::{Dates, Direction, RESOURCES, Resource};
pub use retrieval::{Retrieval, RowQuery};
pub use timestamp::Timestamp;
pub use transaction::{Account, RowError, Transaction};
pub use window::{Window, WindowError, parse_date};
