//! Links that nobody here has registered or requested. Belvo's keys own them all the same, so that
//! a wrong id may name a link of another program of the company: it is left alone unless the caller
//! says that it is meant.

use domain::{LinkId, LinkRecord};
use lambda_http::Request;
use shared::{http::query_parameter, problem::Problem};

use crate::{App, fields::Fields, problems};

/// How a caller says that such a link is meant.
const NAME: &str = "unregistered";
const UNKNOWN: &str = "Nobody has registered this link here, or requested its rows.";

/// What a caller says of unregistered links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unregistered {
    Refused,
    Allowed,
}

impl Unregistered {
    /// Of the query parameter `unregistered`.
    pub(crate) fn of_query(request: &Request) -> Result<Self, Problem> {
        Self::parse(query_parameter(request, NAME).as_deref())
    }

    /// Of the body's field `unregistered`.
    pub(crate) fn of_body(fields: &mut Fields) -> Result<Self, Problem> {
        Self::parse(fields.optional(NAME)?.as_deref())
    }

    fn parse(word: Option<&str>) -> Result<Self, Problem> {
        match word {
            None | Some("refuse") => Ok(Self::Refused),
            Some("allow") => Ok(Self::Allowed),
            Some(_) => {
                let detail = format!("{NAME} must be `refuse` or `allow`");
                Err(Problem::field(NAME, detail))
            }
        }
    }
}

/// The record of a link that somebody has registered or requested here.
pub(crate) async fn known(app: &App, link: &LinkId) -> Result<LinkRecord, Problem> {
    let record = record(app, link).await?.filter(LinkRecord::is_known);
    record.ok_or_else(|| Problem::not_found(UNKNOWN))
}

/// The record of a link, if it has one, unless the link is unregistered and the caller does not
/// allow that.
pub(crate) async fn known_or_allowed(
    app: &App,
    link: &LinkId,
    unregistered: Unregistered,
) -> Result<Option<LinkRecord>, Problem> {
    let record = record(app, link).await?;
    let is_known = record.as_ref().is_some_and(LinkRecord::is_known);
    if is_known || unregistered == Unregistered::Allowed {
        return Ok(record);
    }
    let detail = format!(
        "{UNKNOWN} If this is the link you mean, repeat the call with {NAME} set to `allow`."
    );
    Err(Problem::not_found(&detail))
}

async fn record(app: &App, link: &LinkId) -> Result<Option<LinkRecord>, Problem> {
    let record = app.control.links.get(link).await;
    record.map_err(|error| problems::unrecorded(&error))
}
