//! The pipeline's HTTP API, as docs/openapi.json describes it.

mod client;
mod link;
mod problem;
mod quota;
mod request;
mod row;
mod webhook;

pub(crate) use self::client::Api;
pub(crate) use self::{
    link::{Accepted, Blocked, Link},
    problem::Problem,
    quota::{ClassQuota, Quota},
    request::{Collection, LinkRequests, Request, Status, Unconfirmed},
    row::{History, Listed, Original, Transactions, Version},
    webhook::{Replay, Webhook},
};
