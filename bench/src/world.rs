//! The surroundings of a measured function: AWS and Belvo, reached directly or behind TLS.

use std::{net::SocketAddr, path::Path, sync::Arc};

use function_processes::SETTINGS;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

use crate::{
    aws::CountingAws,
    belvo::Belvo,
    distant::{self, Line, Traffic},
    front::Front,
    latency::{Draws, ROUND_TRIP_TO_AWS},
    tls,
    waits::{Exchange, Record},
};

/// How functions reach AWS and Belvo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// The latencies of AWS and Belvo, and the addresses at which they are that slow.
struct Distance {
    traffic: Traffic,
    aws: String,
    belvo: String,
}

/// The servers, all in this process, and how functions reach them.
pub(crate) struct World {
    pub(crate) transport: Transport,
    pub(crate) aws: CountingAws,
    pub(crate) belvo: Belvo,
    /// In front of AWS and of Belvo; `None` where functions reach them directly.
    pub(crate) fronts: Option<(Front, Front)>,
    /// Where AWS and Belvo are as far away and as slow as the real ones.
    distance: Option<Distance>,
    /// Variables that name the certificates to trust.
    trust: Vec<(&'static str, String)>,
}

impl World {
    /// Servers that are reached directly, which distorts times the least.
    pub(crate) async fn plain() -> anyhow::Result<Self> {
        Ok(Self {
            transport: Transport::Plain,
            aws: CountingAws::start().await?,
            belvo: Belvo::start("http").await?,
            fronts: None,
            distance: None,
            trust: vec![],
        })
    }

    /// Servers behind fronts that count bytes.
    pub(crate) async fn counted() -> anyhow::Result<Self> {
        let mut world = Self::plain().await?;
        world.put_fronts(None).await?;
        Ok(world)
    }

    /// Servers behind TLS, as in production. `directory` receives the certificates that functions
    /// have to trust.
    pub(crate) async fn tls(directory: &Path) -> anyhow::Result<Self> {
        let (mut world, tls) = Self::trusted(directory).await?;
        world.put_fronts(Some(&tls)).await?;
        Ok(world)
    }

    /// Servers behind TLS that take as long as the real ones, with this line to Belvo.
    pub(crate) async fn distant(directory: &Path, to_belvo: Line) -> anyhow::Result<Self> {
        let (mut world, tls) = Self::trusted(directory).await?;
        let to_aws = Line {
            round_trip: ROUND_TRIP_TO_AWS,
            megabits_per_second: None,
            compresses: false,
        };
        let traffic = Traffic {
            draws: Arc::new(Draws::seeded(0)),
            record: Record::default(),
        };
        let put =
            |address: SocketAddr, line| distant::put_before(address, &tls, line, traffic.clone());
        let aws = put(world.aws.address, to_aws).await?;
        let belvo = put(world.belvo.address()?, to_belvo).await?;
        world.distance = Some(Distance {
            traffic,
            aws,
            belvo,
        });
        Ok(world)
    }

    /// Servers whose certificates functions trust, not yet behind anything that has them.
    async fn trusted(directory: &Path) -> anyhow::Result<(Self, TlsAcceptor)> {
        let authority = directory.join("authority.pem");
        let bundle = directory.join("bundle.pem");
        let tls = tls::acceptor(&authority, &bundle)?;

        let world = Self {
            transport: Transport::Tls,
            aws: CountingAws::start().await?,
            belvo: Belvo::start("https").await?,
            fronts: None,
            distance: None,
            trust: trust(&authority, &bundle),
        };
        Ok((world, tls))
    }

    async fn put_fronts(&mut self, tls: Option<&TlsAcceptor>) -> anyhow::Result<()> {
        self.fronts = Some((
            Front::of(self.aws.address, tls).await?,
            Front::of(self.belvo.address()?, tls).await?,
        ));
        Ok(())
    }

    /// Where functions reach Belvo.
    pub(crate) fn belvo_url(&self) -> String {
        self.urls().1
    }

    /// Draws the same latencies from now on as after any other call with this seed, and forgets
    /// what crossed the servers.
    pub(crate) fn begin(&self, seed: u64) {
        if let Some(distance) = &self.distance {
            distance.traffic.draws.begin(seed);
            distance.traffic.record.take();
        }
    }

    /// What crossed distant servers since the last call.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        let distance = self.distance.as_ref();
        distance.map_or_else(Vec::new, |distance| distance.traffic.record.take())
    }

    /// Where functions find AWS and Belvo.
    fn urls(&self) -> (String, String) {
        match (&self.distance, &self.fronts) {
            (Some(distance), _) => (distance.aws.clone(), distance.belvo.clone()),
            (None, Some((aws, belvo))) => (aws.url.clone(), belvo.url.clone()),
            (None, None) => (self.aws.url(), self.belvo.url()),
        }
    }

    /// The variables of every function: those of template.yaml, pointed at these servers.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let (aws, belvo) = self.urls();

        let mut environment = vec![
            ("AWS_ENDPOINT_URL", aws),
            ("REQUESTS_TABLE", self.aws.requests_table.clone()),
            ("TRANSACTIONS_TABLE", self.aws.transactions_table.clone()),
            ("BELVO_BASE_URL", belvo),
        ];
        environment.extend(self.trust.iter().cloned());
        environment.extend(SETTINGS.map(|(name, value)| (name, value.to_owned())));
        environment
    }
}

/// The variables that name an authority's certificate. boto3, requests and the default TLS of the
/// peer in plain Rust read a whole bundle; Node.js and our functions have certificates compiled in
/// and read one more.
fn trust(authority: &Path, bundle: &Path) -> Vec<(&'static str, String)> {
    let authority = authority.display().to_string();
    let bundle = bundle.display().to_string();
    vec![
        ("SSL_CERT_FILE", bundle.clone()),
        ("AWS_CA_BUNDLE", bundle.clone()),
        ("REQUESTS_CA_BUNDLE", bundle),
        ("NODE_EXTRA_CA_CERTS", authority.clone()),
        ("BENCH_AUTHORITY", authority),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn functions_get_every_variable_of_the_template() {
        let world = World::plain().await.unwrap();
        let names: Vec<_> = world
            .environment()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let template = include_str!("../../template.yaml");
        let is_name = |text: &str| {
            text.bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let variables = template
            .lines()
            .filter_map(|line| line.strip_prefix("          ")?.split_once(": "))
            .filter(|(name, _)| is_name(name));
        let missing: Vec<_> = variables
            .map(|(name, _)| name)
            .filter(|name| !names.contains(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
