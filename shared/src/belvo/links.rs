//! Links at Belvo: reading one, deleting one.

use domain::{Connection, LinkId, RequestId, Timestamp};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{BelvoError, Client, client::accepted_id, error::NOT_FOUND};

/// A link on the wire (`Link` in Belvo's OpenAPI). Any field may be missing or null.
#[derive(Deserialize)]
struct LinkBody {
    institution: Option<String>,
    access_mode: Option<String>,
    refresh_rate: Option<String>,
    status: Option<String>,
    external_id: Option<String>,
    institution_user_id: Option<String>,
    fetch_resources: Option<Vec<String>>,
    created_at: Option<String>,
}

/// Belvo's answer to a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkDeletion {
    /// Belvo works on it and will call the webhook.
    Accepted(RequestId),
    /// The link is gone.
    Done,
}

impl Client {
    /// Reads a link; `None` if Belvo does not have it. Safe to repeat.
    pub async fn link(&self, link: &LinkId) -> Result<Option<Connection>, BelvoError> {
        let url = self.link_url(link)?;
        match self.get::<LinkBody>(url).await {
            Ok(body) => Ok(Some(body.into())),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks Belvo to delete a link and all its data, in the asynchronous mode, which escapes the
    /// limit of five deletions a minute (`DELETE /api/links/{id}/` in Belvo's OpenAPI). Safe to
    /// repeat.
    pub async fn delete_link(&self, link: &LinkId) -> Result<LinkDeletion, BelvoError> {
        let url = self.link_url(link)?;
        let request = || self.async_request(Method::DELETE, url.clone());
        let answer = match self.send(request).await {
            Ok(answer) => answer,
            Err(error) if is_not_found(&error) => return Ok(LinkDeletion::Done),
            Err(error) => return Err(error),
        };
        if answer.status() != StatusCode::ACCEPTED {
            return Ok(LinkDeletion::Done);
        }
        Ok(LinkDeletion::Accepted(accepted_id(answer).await?))
    }

    fn link_url(&self, link: &LinkId) -> Result<url::Url, BelvoError> {
        self.url(&format!("api/links/{link}/"))
    }
}

fn is_not_found(error: &BelvoError) -> bool {
    matches!(error, BelvoError::Rejected { status: 404, code, .. } if code == NOT_FOUND)
}

impl From<LinkBody> for Connection {
    fn from(body: LinkBody) -> Self {
        Self {
            institution: body.institution,
            access_mode: body.access_mode,
            refresh_rate: body.refresh_rate,
            status: body.status,
            external_id: body.external_id,
            customer: body.institution_user_id.filter(|id| !id.is_empty()),
            fetch_resources: body.fetch_resources.unwrap_or_default(),
            created_at: body.created_at.as_deref().and_then(Timestamp::parse),
        }
    }
}
