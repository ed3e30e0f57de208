//! Who kills functions while webhooks are delivered, until it is told to stop.

use anyhow::Context;
use test_harness::{Stack, kills, settling};

use crate::{arguments::Deliver, figures::Troubles};

pub(super) enum War {
    /// Where a `POST` ends it.
    Around(String),
    /// In the local AWS.
    OfOurs(kills::Killer),
}

impl War {
    pub(super) async fn begin(stack: &Stack, arguments: &Deliver) -> Self {
        if let Some(url) = &arguments.peace {
            return Self::Around(url.clone());
        }
        settling::shorten_visibility(stack).await;
        Self::OfOurs(kills::start(arguments.amount.seed))
    }

    /// Ends it, and says how often functions were killed, and what else went wrong.
    pub(super) async fn end(self) -> anyhow::Result<(u64, Troubles)> {
        match self {
            Self::Around(url) => {
                let answer = reqwest::Client::new().post(url).send().await?;
                let troubles: Troubles = answer.json().await.context("no answer of a peace")?;
                Ok((troubles.kills(), troubles))
            }
            Self::OfOurs(killer) => Ok((killer.stop().await.into(), Troubles::default())),
        }
    }
}
