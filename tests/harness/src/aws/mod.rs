//! AWS inside this process, as far as functions and tests use it: queues, a bus, secrets, tables
//! with a stream, and the API in front of the functions. Nothing goes wrong here by itself.

pub mod bus;
pub mod gateway;
pub mod lambda;
pub mod queues;
pub mod secrets;
pub mod stream;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever panicked with it has left it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
