//! Each target on the inputs that are kept of it, and then on changes of them: the same changes in
//! every run, because a test should fail for what was changed since it passed. `make fuzz` looks for
//! others.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::panic::catch_unwind;

use fuzzing::{Target, inputs_of, mutated};
use shared::env::Environment;

#[test]
fn a_cursor_is_read_back_or_refused() {
    holds("cursor");
}

#[test]
fn an_error_of_belvos_is_classified_whatever_its_body_is() {
    holds("error");
}

#[test]
fn a_large_row_comes_back_from_the_store_equal_or_is_refused() {
    holds("large-row");
}

#[test]
fn a_page_has_the_rows_that_a_slow_reading_finds() {
    holds("page");
}

#[test]
fn a_reading_call_is_answered_or_told_which_parameter_is_wrong() {
    holds("query");
}

#[test]
fn a_call_is_let_through_or_told_which_field_is_wrong() {
    holds("request");
}

#[test]
fn a_row_comes_back_from_the_store_equal_or_is_refused() {
    holds("row");
}

#[test]
fn a_task_prints_back_equal() {
    holds("task");
}

#[test]
fn a_webhook_is_queued_as_it_was_sent_or_refused() {
    holds("webhook");
}

fn holds(name: &str) {
    let Some(target) = Target::named(name) else {
        panic!("the targets are {}", Target::names());
    };
    let inputs = inputs_of(name);
    assert!(!inputs.is_empty(), "no input is kept of {name}");
    for (file, input) in &inputs {
        holds_of(target, input, &format!("fuzz/corpus/{name}/{file}"));
    }

    let times = Environment::of_process().optional("FUZZ_TIMES");
    let times: u64 = times.map_or(1, |times| times.parse().expect("a number"));
    for seed in 0..times * target.in_test {
        let (file, input) = &inputs[usize::try_from(seed).unwrap_or(0) % inputs.len()];
        let origin = format!("fuzz/corpus/{name}/{file}, changed by the seed {seed}");
        holds_of(target, &mutated(input, seed), &origin);
    }
}

/// Says which input it is of which something does not hold.
fn holds_of(target: &Target, input: &[u8], origin: &str) {
    let outcome = catch_unwind(|| (target.check)(input));
    assert!(
        outcome.is_ok(),
        "{} does not hold of {origin}: {}",
        target.name,
        String::from_utf8_lossy(input).escape_debug(),
    );
}
