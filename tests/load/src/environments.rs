//! One environment of each function, never restarted, that is given many events one after the
//! other: what it keeps of each adds up.

use std::{fs, path::Path, time::Instant};

use anyhow::ensure;
use axum::body::Bytes;
use belvo_sandbox::Control;
use function_processes::{Function, Program, events};
use serde_json::{Value, json};
use test_harness::aws::stream;

use crate::{
    arguments::Environments,
    figures::Environment,
    lambda::FUNCTIONS,
    report,
    surroundings::Surroundings,
    trouble::{Rates, Trouble},
};

/// The most memory that may be added after the warm-up, in KiB.
const MOST_GROWTH_KIB: u64 = 2 * 1_024;
/// Of so many invocations, one is warm-up.
const WARM_UP: u64 = 100;
/// How often an environment is looked at afterwards.
const LOOKS: u64 = 200;
/// The others take longer, and are given so many times fewer.
const FEWER: u64 = 10;
const LINKS: usize = 20;
const ROWS: u64 = 5;
/// Of a batch of the stream.
const RECORDS: usize = 10;

/// Runs all five, prints the figures, and fails if one has grown.
pub(crate) async fn run(arguments: &Environments) -> anyhow::Result<()> {
    let functions = fs::canonicalize(&arguments.functions)?;
    let rates = Rates {
        kills: 0,
        queue_failures: 0,
    };
    let surroundings = Surroundings::start(&functions, Trouble::seeded(0, rates)).await?;
    let source = Source::with_links(&surroundings).await?;
    let mut all = Vec::new();
    for function in FUNCTIONS {
        let fewer = if function == "webhook" { 1 } else { FEWER };
        let invocations = arguments.invocations / fewer;
        all.push(one(&functions, &source, function, invocations).await?);
    }
    println!("{}", report::of_environments(&all));
    if let Some(path) = &arguments.results {
        fs::write(path, serde_json::to_vec_pretty(&all)?)?;
    }
    for environment in &all {
        check(environment)?;
    }
    Ok(())
}

fn check(environment: &Environment) -> anyhow::Result<()> {
    let Environment {
        function,
        warm_files,
        most_files,
        ..
    } = environment;
    let growth = environment.growth_kib();
    ensure!(
        growth <= MOST_GROWTH_KIB,
        "{function} has grown by {growth} KiB"
    );
    ensure!(
        most_files <= warm_files,
        "{function} has {most_files} file descriptors, and had {warm_files}"
    );
    Ok(())
}

/// Gives one environment so many events.
async fn one(
    functions: &Path,
    source: &Source<'_>,
    function: &str,
    invocations: u64,
) -> anyhow::Result<Environment> {
    eprintln!("load: one environment of {function}, {invocations} invocations");
    let program = Program::plain(function, functions.join(function));
    let mut process = Function::start(&program, &source.surroundings.variables).await?;
    let began = Instant::now();
    let warm_up = (invocations / WARM_UP).max(1);
    let mut environment = Environment {
        function: function.to_owned(),
        invocations,
        warm_up,
        ..Environment::default()
    };
    let between = (invocations / LOOKS).max(1);
    for number in 1..=invocations {
        let event = source.event(function, number).await?;
        let answer = process.invoke(event).await?.answer;
        ensure!(is_good(function, &answer), "{function} answered {answer}");
        if number == warm_up {
            environment.warm_kib = process.memory_kib()?;
            environment.warm_files = process.open_files()?;
        }
        if number > warm_up && number.is_multiple_of(between) || number == invocations {
            environment.last_kib = process.memory_kib()?;
            environment.most_kib = environment.most_kib.max(environment.last_kib);
            environment.most_files = environment.most_files.max(process.open_files()?);
        }
    }
    environment.took_s = began.elapsed().as_secs();
    process.stop().await?;
    Ok(environment)
}

/// Whether a function did what it was asked for.
fn is_good(function: &str, answer: &Value) -> bool {
    match function {
        "collect" => answer["batchItemFailures"] == json!([]),
        "publish" => true,
        "query" => answer["statusCode"] == 200,
        _ => answer["statusCode"] == 202,
    }
}

/// Where events come from.
struct Source<'a> {
    surroundings: &'a Surroundings,
    belvo: Control,
    links: Vec<String>,
}

impl<'a> Source<'a> {
    async fn with_links(surroundings: &'a Surroundings) -> anyhow::Result<Self> {
        let belvo = Control::new(surroundings.belvo.url())?;
        let mut links = Vec::new();
        for _ in 0..LINKS {
            links.push(belvo.link(json!({ "transactions": ROWS })).await?);
        }
        Ok(Self {
            surroundings,
            belvo,
            links,
        })
    }

    async fn event(&self, function: &str, number: u64) -> anyhow::Result<Bytes> {
        let link = &self.links[usize::try_from(number)? % LINKS];
        Ok(match function {
            "collect" => events::batch(link),
            "publish" => self.published()?,
            "query" => events::query(link),
            // Of one link, an equal request is answered with the first.
            "request" => events::request(&self.belvo.link(json!({ "transactions": 1 })).await?),
            _ => events::good_delivery(link),
        })
    }

    /// The first records of the stream, which `collect` has written to before.
    fn published(&self) -> anyhow::Result<Bytes> {
        let aws = &self.surroundings.aws;
        let (records, _) = stream::records(&aws.tables, &aws.start_of_stream);
        let wanted = records.into_iter().filter(stream::is_wanted);
        let records: Vec<_> = wanted.take(RECORDS).collect();
        ensure!(!records.is_empty(), "nothing is to be published");
        Ok(events::bytes(&json!({ "Records": records })))
    }
}
