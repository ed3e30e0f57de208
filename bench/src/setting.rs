//! What surrounds a function whose invocations are measured whole.

use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::body::Bytes;
use function_processes::{Function, Share, Took, events};
use serde_json::{Value, json};

use crate::{
    billing::Run,
    program::{Maker, Programs},
    waits::Waits,
    world::World,
};

/// The programs, the servers, and the share of a core that a process gets.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) world: &'a World,
    /// `None` for a whole core.
    pub(crate) share: Option<&'a Share>,
}

impl Setting<'_> {
    /// Starts one of our functions for an event, with the latencies of this seed.
    pub(crate) async fn cold(
        self,
        function: &str,
        seed: u64,
        event: Bytes,
    ) -> anyhow::Result<(Run, Function)> {
        let program = self.programs.function(Maker::Ours, function);
        let environment = self.world.environment();
        self.world.begin(seed);
        let before = Delays {
            throttled: self.throttled(),
            ready: Duration::ZERO,
        };
        let mut function = match self.share {
            Some(share) => Function::start_within(share, &program, &environment).await?,
            None => Function::start(&program, &environment).await?,
        };
        let init = Some(function.init);
        let run = self.finish(&mut function, init, before, event).await?;
        Ok((run, function))
    }

    /// Gives an event to a running function, with the latencies of this seed.
    pub(crate) async fn warm(
        self,
        function: &mut Function,
        seed: u64,
        event: Bytes,
    ) -> anyhow::Result<Run> {
        self.world.begin(seed);
        let before = Delays {
            throttled: self.throttled(),
            ready: function.run_delay()?,
        };
        self.finish(function, None, before, event).await
    }

    /// Invokes a function with an event, and then with what it leaves to further invocations.
    async fn finish(
        self,
        function: &mut Function,
        init: Option<Took>,
        before: Delays,
        event: Bytes,
    ) -> anyhow::Result<Run> {
        let now = Instant::now();
        let started = init
            .and_then(|init| now.checked_sub(init.wall))
            .unwrap_or(now);
        let (mut invocations, mut next) = (Vec::new(), Some(event));
        while let Some(event) = next {
            let invocation = function.invoke(event).await?;
            invocations.push(invocation.took);
            next = self.left_over(&invocation.answer)?;
        }

        let exchanges = self.world.exchanges();
        Ok(Run {
            init,
            invocations,
            waits: Waits::between(started, Instant::now(), &exchanges),
            delayed: function.run_delay()?.saturating_sub(before.ready),
            throttled: self.throttled().saturating_sub(before.throttled),
            peak_memory_kib: function.peak_memory_kib()?,
        })
    }

    /// The event for what a function has left to a further invocation; an error if it failed.
    fn left_over(self, answer: &Value) -> anyhow::Result<Option<Bytes>> {
        if answer["statusCode"] == 202 {
            // What `webhook` has queued is for `collect`.
            return Ok(None);
        }
        let failures = &answer["batchItemFailures"];
        ensure!(*failures == json!([]), "the function answered {answer}");
        let message = self.world.aws.take_message();
        Ok(message.map(|message| events::sent(&message)))
    }

    fn throttled(self) -> Duration {
        self.share.map_or(Duration::ZERO, Share::throttled)
    }

    /// Checks that all rows of a link are stored.
    pub(crate) fn is_stored(self, link: &str, rows: usize) -> anyhow::Result<()> {
        let stored = self.world.aws.count(link, "T#")?;
        ensure!(stored == rows as u64, "{stored} of {rows} rows are stored");
        Ok(())
    }
}

/// How long a process could not run so far.
#[derive(Clone, Copy)]
struct Delays {
    throttled: Duration,
    ready: Duration,
}
