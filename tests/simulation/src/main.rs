//! Runs the functions as they are with everything around them in one thread, under simulated time:
//! Belvo, DynamoDB, SQS, Secrets Manager, EventBridge, Lambda and API Gateway. What happens follows
//! from a seed, so that what fails fails again; and checks, once a run has come to rest, what must
//! hold whatever happened.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test, run as a command because it is given seeds and times"
)]

mod aws;
mod command;
mod complete;
mod faults;
mod functions;
mod gateway;
mod lambda;
mod lossless;
mod network;
mod oddity;
mod plan;
mod run;
mod settings;
mod settling;
mod specification;
mod triggers;
mod users;
mod world;

fn main() -> std::process::ExitCode {
    command::main()
}
