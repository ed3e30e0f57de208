//! Which links a command is about.

use clap::{ArgGroup, Args};
use domain::{LinkId, Timestamp};

use crate::{
    CliError,
    api::Link,
    logs::{Wanted, What},
    stack::Stack,
};

/// How far back refused webhooks are looked for: longer than a night.
const LOOK_BACK_S: i64 = 24 * 60 * 60;

/// Some links by name, all that are registered, or those of them that may have missed a webhook.
#[derive(Debug, Clone, Args)]
#[command(group(
    ArgGroup::new("which").required(true).multiple(true).args(["links", "all", "stale"])
))]
pub(crate) struct Selection {
    /// Belvo's ids of links
    #[arg(value_name = "LINK", value_parser = LinkId::parse, conflicts_with_all = ["all", "stale"])]
    links: Vec<LinkId>,
    /// All registered links that Belvo still has
    #[arg(long)]
    all: bool,
    /// Only those that may have missed a webhook: not collected since one was last refused, within
    /// a day, or without one for two refreshes
    #[arg(long)]
    stale: bool,
}

impl Selection {
    /// The links, each once; of those that may have missed a webhook, those about this resource.
    pub(crate) async fn links(
        &self,
        stack: &Stack,
        resource: &str,
    ) -> Result<Vec<LinkId>, CliError> {
        if !self.links.is_empty() {
            let mut links = self.links.clone();
            links.sort();
            links.dedup();
            return Ok(links);
        }
        let mut links: Vec<Link> = stack.api.all("/links", &[], "links").await?;
        links.retain(|link| !is_gone(link));
        if self.stale {
            let refused_at = last_refusal(stack).await?;
            links.retain(|link| may_lack_rows(link, resource, refused_at));
        }
        Ok(links.into_iter().map(|link| link.id).collect())
    }

    /// The same in words, to be compared.
    pub(crate) fn words(&self) -> String {
        match (self.stale, self.all) {
            (true, _) => "--stale".to_owned(),
            (false, true) => "--all".to_owned(),
            _ => {
                let links: Vec<_> = self.links.iter().map(LinkId::as_str).collect();
                links.join(" ")
            }
        }
    }
}

/// When a webhook was last refused. Nobody knows of which link.
async fn last_refusal(stack: &Stack) -> Result<Option<Timestamp>, CliError> {
    let wanted = Wanted {
        functions: &["webhook"],
        since: Timestamp::now().plus_seconds(-LOOK_BACK_S),
        what: What::Events(&["webhook_refused"]),
    };
    let lines = stack.logs().await?.lines(wanted).await?;
    Ok(lines.iter().map(|line| line.at).max())
}

/// A collection of some days, or of one account, may have left out what the webhook was about.
fn may_lack_rows(link: &Link, resource: &str, refused_at: Option<Timestamp>) -> bool {
    let last = link.collected.get(resource);
    let whole = last.filter(|last| last.days.is_all() && last.account.is_none());
    let collected_at = whole.map(|last| last.at);
    link.stale || refused_at.is_some_and(|at| collected_at <= Some(at))
}

fn is_gone(link: &Link) -> bool {
    let reason = link.blocked.as_ref().map(|block| block.reason.as_str());
    matches!(reason, Some("deleted" | "deleting"))
}

#[cfg(test)]
mod tests {
    use domain::Days;
    use serde_json::json;

    use super::*;

    fn at(minute: u32) -> Timestamp {
        Timestamp::parse(&format!("2026-03-01T00:{minute:02}:00Z")).unwrap()
    }

    fn link(is_stale: bool, collected_at: Option<u32>) -> Link {
        let collected = collected_at.map(|minute| {
            let last = json!({"at": at(minute), "verdict": "complete", "rows": 1, "added": 0,
                "modified": 0, "removed": 0});
            let mut later = last.clone();
            later["at"] = json!(at(50));
            json!({"transactions": last, "invoices": later})
        });
        let link = json!({"link": "16f68516-bcbc-4cf7-b815-c500d4204e28", "stale": is_stale,
            "collected": collected.unwrap_or_else(|| json!({}))});
        serde_json::from_value(link).unwrap()
    }

    #[test]
    fn what_was_not_collected_since_a_webhook_was_refused_may_lack_rows() {
        for (link, refused_at, expected) in [
            (link(false, Some(5)), Some(10), true),
            (link(false, Some(15)), Some(10), false),
            (link(false, None), Some(10), true),
            (link(false, Some(5)), None, false),
            (link(true, Some(15)), Some(10), true),
            (link(true, Some(15)), None, true),
        ] {
            let found = may_lack_rows(&link, "transactions", refused_at.map(at));
            assert_eq!(found, expected, "{link:?}");
        }
    }

    #[test]
    fn a_collection_of_some_days_says_nothing_about_the_others() {
        let mut link = link(false, Some(15));
        let days = Days::since(time::macros::date!(2026 - 02 - 01));
        link.collected.get_mut("transactions").unwrap().days = days;
        assert!(may_lack_rows(&link, "transactions", Some(at(10))));
        assert!(!may_lack_rows(&link, "transactions", None));
    }
}
