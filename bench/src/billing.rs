//! What Lambda bills of a function's work: the time on the clock of INIT and of the invocation,
//! rounded up to a millisecond ("AWS Lambda standardizes billing for INIT phase", AWS Compute Blog,
//! 29 April 2025; for custom runtimes, INIT was billed before, too). With less memory than comes
//! with a whole core, a function has a share of one. Where the kernel here can give it that share,
//! this is measured. The model says what follows from a run with a whole core: processor time
//! stretches as the share shrinks, the rest of the time does not, and what the function waited for
//! a core of this machine, because others used them, is left out.

use std::time::Duration;

use function_processes::{MEMORY_OF_A_CORE, Took};
use serde::{Deserialize, Serialize};

use crate::{
    statistics::{Spread, milliseconds},
    waits::Waits,
};

/// What one process did for one event.
pub(crate) struct Run {
    /// `None` if the process was warm.
    pub(crate) init: Option<Took>,
    /// More than one if the function left work to another.
    pub(crate) invocations: Vec<Took>,
    pub(crate) waits: Waits,
    /// While the function was ready to run and could not, because its share was used up or because
    /// others used the cores.
    pub(crate) delayed: Duration,
    /// Because its share was used up.
    pub(crate) throttled: Duration,
    pub(crate) peak_memory_kib: u64,
}

impl Run {
    /// On the clock, INIT included.
    pub(crate) fn wall(&self) -> Duration {
        self.all().map(|took| took.wall).sum()
    }

    fn cpu(&self) -> Duration {
        self.all().map(|took| took.cpu).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Took> {
        self.init.iter().chain(&self.invocations)
    }

    fn billed_ms(&self) -> f64 {
        self.billed(|took| milliseconds(took.wall))
    }

    /// What would be billed with so much memory, if this was measured with a whole core.
    pub(crate) fn modelled_billed_ms(&self, memory_mb: u32) -> f64 {
        let stretch = f64::from(MEMORY_OF_A_CORE) / f64::from(memory_mb);
        // Which of them was delayed by how much is not known, so that all are as a part of it.
        let delayed = self.delayed.as_secs_f64() / self.wall().as_secs_f64();
        self.billed(|took| {
            let (wall_ms, cpu_ms) = (milliseconds(took.wall), milliseconds(took.cpu));
            (wall_ms * (1.0 - delayed) - cpu_ms).max(0.0) + stretch * cpu_ms
        })
    }

    /// INIT and the first invocation are billed together, each further one for itself.
    fn billed(&self, took_ms: impl Fn(&Took) -> f64) -> f64 {
        let init_ms = self.init.as_ref().map_or(0.0, &took_ms);
        let each = self.invocations.iter().enumerate();
        each.map(|(number, took)| {
            let before_ms = if number == 0 { init_ms } else { 0.0 };
            (before_ms + took_ms(took)).ceil()
        })
        .sum()
    }
}

/// What equal runs took.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    /// `None` if the process was warm.
    pub(crate) init_ms: Option<Spread>,
    pub(crate) init_cpu_ms: Option<Spread>,
    /// On the clock, INIT included.
    pub(crate) wall_ms: Spread,
    /// Of the processor, INIT included.
    pub(crate) cpu_ms: Spread,
    pub(crate) billed_ms: Spread,
    /// The most of a run.
    pub(crate) invocations: u64,
    pub(crate) peak_memory_kib: u64,
    /// While the function was ready to run and could not. With a whole core, this is the work of
    /// others on this machine, and the times are worth the less the more it is.
    pub(crate) run_delay_ms: Spread,
    /// The part of it in which the share of a core was used up. If there is little of it although
    /// there is much delay, others left the function less than its share.
    pub(crate) throttled_ms: Spread,
    /// Of the run with the median time.
    pub(crate) waits: Waits,
}

impl Measured {
    /// Sums up runs; an error if there are none.
    pub(crate) fn of<'a>(runs: impl IntoIterator<Item = &'a Run>) -> anyhow::Result<Self> {
        let mut runs: Vec<_> = runs.into_iter().collect();
        runs.sort_by_key(|run| run.wall());
        let median = runs.get(runs.len().saturating_sub(1) / 2);
        let spread = |value: fn(&Run) -> f64| Spread::of(runs.iter().copied().map(value));
        let init = |value: fn(&Took) -> Duration| {
            let inits = runs.iter().filter_map(|run| run.init.as_ref());
            Spread::of(inits.map(|init| milliseconds(value(init)))).ok()
        };
        let most = |value: fn(&Run) -> u64| runs.iter().copied().map(value).max();

        Ok(Self {
            init_ms: init(|init| init.wall),
            init_cpu_ms: init(|init| init.cpu),
            wall_ms: spread(|run| milliseconds(run.wall()))?,
            cpu_ms: spread(|run| milliseconds(run.cpu()))?,
            billed_ms: spread(Run::billed_ms)?,
            invocations: most(|run| run.invocations.len() as u64).unwrap_or_default(),
            peak_memory_kib: most(|run| run.peak_memory_kib).unwrap_or_default(),
            run_delay_ms: spread(|run| milliseconds(run.delayed))?,
            throttled_ms: spread(|run| milliseconds(run.throttled))?,
            waits: median.map(|run| run.waits.clone()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole milliseconds are exact")]
mod tests {
    use super::*;

    fn took(wall_us: u64, cpu_us: u64) -> Took {
        Took {
            wall: Duration::from_micros(wall_us),
            cpu: Duration::from_micros(cpu_us),
        }
    }

    fn run(init: Option<Took>, invocations: Vec<Took>) -> Run {
        Run {
            init,
            invocations,
            waits: Waits::default(),
            delayed: Duration::ZERO,
            throttled: Duration::ZERO,
            peak_memory_kib: 0,
        }
    }

    #[test]
    fn init_is_billed_with_the_first_invocation_and_each_further_one_is_rounded_up_for_itself() {
        let cold = run(Some(took(4_300, 0)), vec![took(2_500, 0), took(100, 0)]);
        assert_eq!(cold.billed_ms(), 7.0 + 1.0);
        let warm = run(None, vec![took(2_500, 0), took(100, 0)]);
        assert_eq!(warm.billed_ms(), 3.0 + 1.0);
    }

    #[test]
    fn processor_time_stretches_with_less_memory_and_waiting_does_not() {
        let run = run(None, vec![took(30_000, 10_000)]);
        assert_eq!(run.modelled_billed_ms(MEMORY_OF_A_CORE), 30.0);
        // 20 ms of waiting, and 10 ms · 1769 / 512.
        assert_eq!(run.modelled_billed_ms(512), 55.0);
    }

    #[test]
    fn what_others_on_this_machine_took_is_not_billed_by_the_model() {
        let mut run = run(None, vec![took(60_000, 10_000)]);
        run.delayed = Duration::from_millis(30);
        assert_eq!(run.modelled_billed_ms(512), 55.0);
    }

    #[test]
    fn the_waits_are_those_of_the_run_with_the_median_time() {
        let with_own = |wall_us, own_ms| {
            let mut run = run(None, vec![took(wall_us, 0)]);
            run.waits.own_ms = own_ms;
            run
        };
        let runs = [
            with_own(9_000, 9.0),
            with_own(1_000, 1.0),
            with_own(5_000, 5.0),
        ];
        assert_eq!(Measured::of(&runs).unwrap().waits.own_ms, 5.0);
        assert!(Measured::of(&runs).unwrap().init_ms.is_none());
    }
}
