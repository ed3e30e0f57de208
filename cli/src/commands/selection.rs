//! Which links a command is about.

use clap::{ArgGroup, Args};
use domain::LinkId;

use crate::{
    CliError,
    api::{Api, Link},
};

/// Some links by name, or all that are registered.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["links", "all"])))]
pub(crate) struct Selection {
    /// Belvo's ids of links
    #[arg(value_name = "LINK", value_parser = LinkId::parse)]
    links: Vec<LinkId>,
    /// All registered links that Belvo still has
    #[arg(long)]
    all: bool,
    /// Of all, only those without a webhook for two refreshes
    #[arg(long, requires = "all")]
    stale: bool,
}

impl Selection {
    /// The links, each once.
    pub(crate) async fn links(&self, api: &Api) -> Result<Vec<LinkId>, CliError> {
        if !self.all {
            let mut links = self.links.clone();
            links.sort();
            links.dedup();
            return Ok(links);
        }
        let query: &[_] = if self.stale {
            &[("stale", "true")]
        } else {
            &[]
        };
        let links: Vec<Link> = api.all("/links", query, "links").await?;
        let there = links.into_iter().filter(|link| !is_gone(link));
        Ok(there.map(|link| link.id).collect())
    }

    /// The same in words, to be compared.
    pub(crate) fn words(&self) -> String {
        match (self.all, self.stale) {
            (true, true) => "--all --stale".to_owned(),
            (true, false) => "--all".to_owned(),
            _ => {
                let links: Vec<_> = self.links.iter().map(LinkId::as_str).collect();
                links.join(" ")
            }
        }
    }
}

fn is_gone(link: &Link) -> bool {
    let reason = link.blocked.as_ref().map(|block| block.reason.as_str());
    matches!(reason, Some("deleted" | "deleting"))
}
