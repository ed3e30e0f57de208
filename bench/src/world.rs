//! What a measured function finds around it: AWS and Belvo, plain or behind TLS.

use std::path::Path;

use serde::Serialize;
use tokio_rustls::TlsAcceptor;

use crate::{
    aws::CountingAws,
    belvo::Belvo,
    front::{self, Front},
};

/// How functions reach AWS and Belvo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// Servers of this process, and how they are reached.
pub(crate) struct World {
    pub(crate) transport: Transport,
    pub(crate) aws: CountingAws,
    pub(crate) belvo: Belvo,
    /// In front of AWS and of Belvo; none where they are reached directly.
    pub(crate) fronts: Option<(Front, Front)>,
    /// Variables that name the certificates to trust.
    trust: Vec<(&'static str, String)>,
}

impl World {
    /// Servers that are reached directly, which adds least to what is timed.
    pub(crate) async fn plain() -> anyhow::Result<Self> {
        let (aws, belvo) = (CountingAws::start().await?, Belvo::start("http").await?);
        Ok(Self {
            transport: Transport::Plain,
            aws,
            belvo,
            fronts: None,
            trust: vec![],
        })
    }

    /// Servers behind fronts that count bytes.
    pub(crate) async fn counted() -> anyhow::Result<Self> {
        let mut world = Self::plain().await?;
        world.put_fronts(None).await?;
        Ok(world)
    }

    /// Servers behind TLS, as functions find them in production. The certificate of the run's
    /// authority goes into `directory`.
    pub(crate) async fn tls(directory: &Path) -> anyhow::Result<Self> {
        let (authority, bundle) = (
            directory.join("authority.pem"),
            directory.join("bundle.pem"),
        );
        let tls = front::tls(&authority, &bundle)?;
        let (aws, belvo) = (CountingAws::start().await?, Belvo::start("https").await?);
        // boto3 and requests read a whole bundle; Node.js and our functions have certificates
        // compiled in, and read one more.
        let bundled =
            ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"].map(|name| (name, &bundle));
        let added = ["NODE_EXTRA_CA_CERTS", "BENCH_AUTHORITY"].map(|name| (name, &authority));
        let trust = bundled
            .into_iter()
            .chain(added)
            .map(|(name, file)| (name, file.display().to_string()))
            .collect();
        let mut world = Self {
            transport: Transport::Tls,
            aws,
            belvo,
            fronts: None,
            trust,
        };
        world.put_fronts(Some(&tls)).await?;
        Ok(world)
    }

    async fn put_fronts(&mut self, tls: Option<&TlsAcceptor>) -> anyhow::Result<()> {
        self.fronts = Some((
            Front::of(self.aws.address, tls).await?,
            Front::of(self.belvo.address()?, tls).await?,
        ));
        Ok(())
    }

    /// The variables of every function: what template.yaml sets, with what is different here.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let (aws, belvo) = match &self.fronts {
            Some((aws, belvo)) => (aws.url.clone(), belvo.url.clone()),
            None => (self.aws.url(), self.belvo.url()),
        };
        let mut environment = vec![
            ("AWS_ENDPOINT_URL", aws),
            ("REQUESTS_TABLE", self.aws.requests_table.clone()),
            ("TRANSACTIONS_TABLE", self.aws.transactions_table.clone()),
            ("BELVO_BASE_URL", belvo),
        ];
        environment.extend(self.trust.iter().cloned());
        let fixed = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
            (
                "AWS_SESSION_TOKEN",
                "a session token as Lambda gives one, only shorter",
            ),
            ("BELVO_SECRET_ARN", "belvo"),
            ("WEBHOOK_SECRET_ARN", "webhook"),
            ("QUEUE_URL", "http://127.0.0.1/000000000000/webhooks.fifo"),
            (
                "DEAD_LETTER_QUEUE_URL",
                "http://127.0.0.1/000000000000/dead-letters.fifo",
            ),
            ("ACK_STATUS", "202"),
            ("ALLOWED_SOURCE_IPS", ""),
            ("LONG_RETRIEVALS_PER_MONTH", "8"),
            ("SHORT_RETRIEVALS_PER_MONTH", "240"),
            ("WIDGET_URL", "https://widget.belvo.io/"),
            ("ATTEMPTS", "30"),
            ("LONGEST_RETRY_S", "900"),
            // Without Belvo's limit: what is measured is the work, not the waiting.
            ("PAGES_PER_30_S", "1000000"),
            ("ROWS_PER_PART", "10000"),
            ("REQUEST_DUE_S", "1800"),
            ("REQUEST_EXPIRES_S", "86400"),
            ("LOG_LEVEL", "INFO"),
            ("POWERTOOLS_SERVICE_NAME", "bench"),
        ];
        environment.extend(fixed.map(|(name, value)| (name, value.to_owned())));
        environment
    }
}
