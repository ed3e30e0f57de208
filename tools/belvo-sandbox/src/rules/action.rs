//! What a rule can do to a call or a webhook.

use std::mem::discriminant;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::errors::{ErrorSpec, codes::is_documented};

/// Which calls a rule is about.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum On {
    /// `POST /api/transactions/` and its counterparts for the other resources.
    Post,
    /// `GET /api/transactions/`, `GET /api/transactions/{id}/` and their counterparts.
    Get,
    /// Webhooks that the sandbox sends.
    Webhook,
    /// `POST /api/token/`
    Token,
    /// Everything under `/api/links/`.
    Links,
    /// Everything under `/api/accounts/`.
    Accounts,
}

/// What can go wrong. The names are those of the control API, and the README has the same list with
/// examples.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// A documented error with Belvo's body.
    Error(ErrorSpec),
    /// The HTML page of Belvo's firewall.
    #[serde(rename = "html_403")]
    Html403(Yes),
    /// A status without a body.
    Status {
        status: u16,
        retry_after: Option<u64>,
    },
    /// No answer until the client disconnects.
    Hang(Yes),
    /// The connection closes without an answer.
    Disconnect(Yes),
    /// A 302 to this address.
    Redirect(String),
    /// The answer, or the webhook, is this much later.
    DelayMs(u64),
    /// A POST in asynchronous mode is answered with 201 and the rows.
    IgnoreAsync(Yes),
    /// `next` of the page before this one skips it.
    DropPage(u64),
    /// A page lacks its last rows, this many, and `count` includes them.
    LoseRows(usize),
    /// The body of this page ends in the middle.
    TornPage(u64),
    /// `next` leads to this origin.
    ForeignNext(String),
    /// After page 1 this many rows are inserted before all others.
    Drift { insert: usize },
    /// After a page, this many of its rows are replaced by new ones of the same day, so that every
    /// count stays the same.
    Swap(usize),
    /// A page after the first starts with the last row of the page before.
    DuplicateRows(Yes),
    /// A page has its first row twice.
    RepeatRows(Yes),
    /// Rows as they were before they changed last, as from a replica that lags behind.
    Outdated(Yes),
    /// No rows, as when the data is not there yet.
    Empty(Yes),
    /// The first account of a page has no id.
    WithoutId(Yes),
    /// This many more deliveries of the same bytes.
    Duplicate(u32),
    /// The webhook is never sent.
    Drop(Yes),
    /// The webhook is delivered before the 202 is sent.
    Early(Yes),
    /// An `Authorization` value that is not the registered one.
    WrongAuthorization(Yes),
    /// A body that is not JSON and still contains the request id.
    Malformed(Yes),
    /// The webhook is sent after the next one of its link.
    HoldUntilNext(Yes),
    /// `data.errors` instead of totals.
    DataErrors { code: String, message: String },
    /// This many bytes of padding in the body.
    ExtraBytes(usize),
    /// A different `webhook_code`.
    Code(String),
    /// No `request_id` in the body.
    WithoutRequestId(Yes),
}

/// The only value of an action that has no parameters: `true`.
#[derive(Clone, Deserialize)]
#[serde(try_from = "bool")]
pub(crate) struct Yes;

impl TryFrom<bool> for Yes {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value {
            Ok(Self)
        } else {
            Err("an action without parameters takes `true`; to switch it off, remove the rule")
        }
    }
}

/// An action that takes effect now.
#[derive(Clone)]
pub(crate) struct Effect {
    pub(crate) action: Action,
    /// The call is carried out before its answer is replaced.
    pub(crate) after: bool,
}

impl Action {
    /// Whether the action takes the place of the proper answer.
    pub(crate) fn replaces_answer(&self) -> bool {
        use Action::{Disconnect, Error, Hang, Html403, Redirect, Status};
        matches!(
            self,
            Error(_) | Html403(_) | Status { .. } | Hang(_) | Disconnect(_) | Redirect(_)
        )
    }

    /// Whether only one of the two can happen to the same call.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        let both_answer = self.replaces_answer() && other.replaces_answer();
        both_answer || discriminant(self) == discriminant(other)
    }

    pub(super) fn concerns_page(&self, page: u64) -> bool {
        match self {
            Self::DropPage(dropped) => page + 1 == *dropped,
            Self::TornPage(torn) => page == *torn,
            Self::Drift { .. } => page == 1,
            Self::DuplicateRows(_) => page > 1,
            _ => true,
        }
    }

    pub(super) fn exists_for(&self, on: On) -> bool {
        use Action::{
            DelayMs, Drift, DropPage, DuplicateRows, Empty, ForeignNext, IgnoreAsync, LoseRows,
            Outdated, RepeatRows, Swap, TornPage, WithoutId,
        };
        match self {
            DelayMs(_) => true,
            _ if self.replaces_answer() => on != On::Webhook,
            IgnoreAsync(_) => on == On::Post,
            WithoutId(_) => on == On::Accounts,
            DropPage(_)
            | LoseRows(_)
            | TornPage(_)
            | ForeignNext(_)
            | Drift { .. }
            | Swap(_)
            | DuplicateRows(_)
            | RepeatRows(_)
            | Outdated(_)
            | Empty(_) => on == On::Get,
            _ => on == On::Webhook,
        }
    }
}

impl Effect {
    /// Parses exactly one action, with or without `after`: `{"hang": true, "after": true}`.
    pub(super) fn parse(mut fields: Map<String, Value>) -> Result<Self, String> {
        let after = match fields.remove("after") {
            None => false,
            Some(after) => after.as_bool().ok_or("`after` must be true or false")?,
        };
        nest_status(&mut fields);
        let action: Action =
            serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;

        if let Action::Error(ErrorSpec { code, .. }) = &action
            && !is_documented(code)
        {
            return Err(format!("`{code}` is not one of Belvo's error codes"));
        }
        if after && !action.replaces_answer() {
            return Err("`after` needs an action that replaces the answer".to_owned());
        }
        Ok(Self { action, after })
    }
}

/// Turns `{"status": 429, "retry_after": 7}` into the nested form that [`Action`] has. No other
/// action has an option next to its value.
fn nest_status(fields: &mut Map<String, Value>) {
    let Some(status) = fields.get("status").filter(|status| status.is_u64()) else {
        return;
    };
    let status = status.clone();
    let retry_after = fields.remove("retry_after");
    let nested = json!({ "status": status, "retry_after": retry_after });
    fields.insert("status".to_owned(), nested);
}
