//! What libFuzzer runs: the target that the variable `FUZZ_TARGET` names, on one input after the
//! other.

#![no_main]

use std::{env, sync::LazyLock};

use fuzzing::{Target, mutated};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("FUZZ_TARGET must be one of {}", Target::names()))
});

fuzz_target!(|input: &[u8]| (TARGET.check)(input));

// Every second input is changed as a text of JSON, and the others byte by byte.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 2 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = mutated(&data[..size], u64::from(seed));
    let length = changed.len().min(max_size);
    data[..length].copy_from_slice(&changed[..length]);
    length
});
