//! The command: which runs, on how many processors, and what it prints.

use std::{
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};

use crate::{
    faults::Fault,
    lossless,
    plan::Plan,
    run::{Outcome, keep_panics, run},
    settings,
};

/// Set in the environment of the process that runs the plans.
const MARK: &str = "SIMULATION_ENVIRONMENT";
/// More seeds than a process takes in a night.
const SEEDS_APART: u64 = 10_000_000;
const SECONDS_OF_AN_HOUR: f64 = 3_600.0;

/// What is simulated.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// What users, banks and operators do while things go wrong.
    Plans,
    /// Rows of every resource, as Belvo's document describes them and beyond, while nothing does.
    Lossless,
}

#[derive(Parser)]
struct Arguments {
    #[arg(value_enum, default_value_t = Subject::Plans)]
    subject: Subject,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// So many hours instead, however many seeds that are.
    #[arg(long)]
    hours: Option<f64>,
    /// In so many processes, each with seeds of its own.
    #[arg(long, default_value_t = 1)]
    processors: u64,
    /// Only these steps of the plan.
    #[arg(long, value_delimiter = ',')]
    steps: Vec<usize>,
    /// The plan without these faults.
    #[arg(long, value_delimiter = ',', value_parser = fault)]
    without: Vec<Fault>,
    /// Goes on after a failure, which then is not made smaller.
    #[arg(long)]
    all: bool,
    /// Does not make a failing plan smaller.
    #[arg(long)]
    as_is: bool,
    /// Prints the plan and what the functions log.
    #[arg(long)]
    verbose: bool,
}

fn fault(name: &str) -> Result<Fault, String> {
    let mut all = Fault::ALL.iter();
    let found = all.find(|fault| format!("{fault:?}").eq_ignore_ascii_case(name));
    found
        .copied()
        .ok_or_else(|| format!("one of {:?}", Fault::ALL))
}

/// Starts this program again with the environment of the functions, which read their settings from
/// it; the program then simulates.
pub(crate) fn main() -> ExitCode {
    if std::env::var_os(MARK).is_none() {
        let program = std::env::current_exe().expect("this program");
        let mut same = Command::new(program);
        same.args(std::env::args_os().skip(1))
            .env_clear()
            .envs(settings::variables());
        let error = same.env(MARK, "1").exec();
        panic!("cannot start again: {error}");
    }
    keep_panics();
    let arguments = Arguments::parse();
    if arguments.processors > 1 {
        simulate_beside(&arguments)
    } else {
        simulate(&arguments)
    }
}

/// Simulates in several processes until all of them have ended.
fn simulate_beside(arguments: &Arguments) -> ExitCode {
    let program = std::env::current_exe().expect("this program");
    let simulations = (0..arguments.processors).map(|number| {
        let mut simulation = Command::new(&program);
        let first = arguments.seed + number * SEEDS_APART;
        simulation.args(["--seed", &first.to_string()]);
        simulation.args(["--runs", &arguments.runs.to_string()]);
        if let Some(hours) = arguments.hours {
            simulation.args(["--hours", &hours.to_string()]);
        }
        simulation.spawn().expect("this program starts")
    });
    let simulations: Vec<_> = simulations.collect();
    let ended = simulations.into_iter().map(|mut simulation| {
        let status = simulation.wait().expect("a process of this one");
        status.success()
    });
    // All are waited for.
    match ended.filter(|succeeded| !succeeded).count() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    // What is read once per process is read now, so that no run finds it different.
    run(&Plan::of(0));
    let began = Instant::now();
    let seconds = arguments.hours.map(|hours| hours * SECONDS_OF_AN_HOUR);
    let limit = seconds.map(Duration::from_secs_f64);
    let (mut runs, mut requests, mut took, mut failed) = (0, 0, Duration::ZERO, 0);
    for seed in arguments.seed.. {
        let is_over = match limit {
            Some(limit) => began.elapsed() >= limit,
            None => runs == arguments.runs,
        };
        if is_over {
            break;
        }
        let (plan, outcome) = take(seed, arguments);
        (runs, requests, took) = (runs + 1, requests + outcome.requests, took + outcome.took);
        if let Some(failure) = outcome.failure {
            failed += 1;
            println!("simulation: seed {seed} fails:\n{failure}\n");
            if let Some(plan) = plan.filter(|_| !arguments.all && !arguments.as_is) {
                print_smallest(plan, failure);
            }
            if !arguments.all {
                break;
            }
        }
    }
    println!(
        "simulation: {runs} runs from seed {}, {requests} requests, {:.0} simulated hours, in {:?}",
        arguments.seed,
        took.as_secs_f64() / SECONDS_OF_AN_HOUR,
        began.elapsed()
    );
    // As Cargo prints it, for `tools/run_tests.py`.
    let (result, code) = match failed {
        0 => ("ok", ExitCode::SUCCESS),
        _ => ("FAILED", ExitCode::FAILURE),
    };
    println!(
        "test result: {result}. {} passed; {failed} failed;",
        runs - failed
    );
    code
}

/// Takes a seed, and returns the plan of it, if there is one, with how it ended.
fn take(seed: u64, arguments: &Arguments) -> (Option<Plan>, Outcome) {
    if arguments.subject == Subject::Lossless {
        let outcome = lossless::run(seed);
        if arguments.verbose {
            print_log(&outcome);
        }
        return (None, outcome);
    }
    let plan = Plan::of(seed).reduced(&arguments.steps, &arguments.without);
    let outcome = run(&plan);
    if arguments.verbose {
        print_steps(&plan);
        print_log(&outcome);
    }
    (Some(plan), outcome)
}

fn print_log(outcome: &Outcome) {
    print!("{}", outcome.log);
    println!(
        "trace {:016x}, {} requests",
        outcome.trace, outcome.requests
    );
}

/// Says what the smallest plan is that was found in which something does not hold.
fn print_smallest(plan: Plan, failure: String) {
    let (smallest, failure) = shrink(plan, failure);
    println!(
        "simulation: the least that was found to fail is\n    {}",
        smallest.command()
    );
    print_steps(&smallest);
    println!("{failure}");
}

fn print_steps(plan: &Plan) {
    println!("faults, of a thousand: {:?}", plan.faults.named());
    for step in &plan.steps {
        println!("{:>4}: after {:?}: {:?}", step.number, step.at, step.action);
    }
}

/// Leaves out one fault or step after the other, as long as the rest still fails.
fn shrink(mut plan: Plan, mut failure: String) -> (Plan, String) {
    let first_line = |failure: &str| failure.lines().next().unwrap_or_default().to_owned();
    loop {
        let smaller = plan.smaller().find_map(|smaller| {
            let its_failure = run(&smaller).failure?;
            let is_same = first_line(&its_failure) == first_line(&failure);
            is_same.then_some((smaller, its_failure))
        });
        match smaller {
            Some((smaller, its_failure)) => (plan, failure) = (smaller, its_failure),
            None => return (plan, failure),
        }
    }
}
