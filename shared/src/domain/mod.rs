//! The pipeline's own terms, free of I/O: what a link, a window, a transaction and a request are,
//! and how two states of the same window differ.

mod block;
mod collection;
mod days;
mod digest;
mod id;
mod lifecycle;
mod link;
mod link_view;
mod progress;
mod quota;
mod reconcile;
mod request;
mod resource;
mod timestamp;
mod transaction;
mod window;

pub use block::{Block, BlockReason, BlockView};
pub use collection::{Check, Collection, Declared, Measure, Stock, Verdict};
pub use days::Days;
pub use digest::Digest;
pub use id::{AccountId, IdError, LinkId, RequestId, TransactionId};
pub use lifecycle::{
    Answer, Before, Change, Deadlines, Fact, Facts, Found, GAVE_UP, Intent, LookAfter, Outcome,
    SENDING_S, Status, Step, Sweep, UNKNOWN_S,
};
pub use link::{Connection, Consent, Deletion, LinkEvent, LinkRecord, Rows};
pub use link_view::LinkView;
pub use progress::{Part, Progress};
pub use quota::{Limits, Quota, QuotaHolder, QuotaMonth, RetrievalClass};
pub use reconcile::{Changes, Fingerprinted, Plan, Stored};
pub use request::{Failure, RequestRecord};
pub use resource::{Dates, Direction, RESOURCES, Resource};
pub use timestamp::Timestamp;
pub use transaction::{Account, RowError, Transaction};
pub use window::{Window, WindowError, parse_date};
