//! A link's accounts at Belvo.

use domain::LinkId;

use super::{BelvoError, Client, Page};

/// The accounts of a page: Belvo's own default, more than a link has, and few enough for accounts
/// with a long loan.
const ACCOUNTS_AT_ONCE: &str = "100";

impl Client {
    /// Reads the first page of a link's accounts (`GET /api/accounts/` in Belvo's OpenAPI);
    /// [`Client::next_page`] reads the others. Safe to repeat.
    pub async fn first_accounts(&self, link: &LinkId) -> Result<Page, BelvoError> {
        let mut url = self.url("api/accounts/")?;
        url.query_pairs_mut()
            .append_pair("link", link.as_str())
            .append_pair("page_size", ACCOUNTS_AT_ONCE);
        self.page(url).await
    }
}
