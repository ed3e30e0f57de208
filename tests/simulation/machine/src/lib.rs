//! The clocks and the randomness of a simulated thread. Where this crate is linked, `clock_gettime`
//! and `getrandom` are the functions below instead of those of the C library: the standard library
//! and everything above it (`Instant`, `SystemTime`, the order of a `HashMap`, random UUIDs) then
//! follow the simulation. On every other thread they ask the kernel, as always.

use std::{cell::Cell, time::Duration};

use libc::{c_int, c_long, c_uint, c_void, clockid_t, size_t, ssize_t, time_t, timespec};

/// What the monotonic clock shows when a simulation begins.
const BOOTED: Duration = Duration::from_hours(24);

/// How a simulation sees its thread.
#[derive(Clone, Copy)]
struct Machine {
    /// Time since the simulation began.
    elapsed: fn() -> Duration,
    /// What the wall clock shows when it begins, since 1970.
    began: Duration,
    /// How far the wall clock is ahead, in milliseconds.
    ahead_ms: i64,
    random: u64,
}

thread_local! {
    static MACHINE: Cell<Option<Machine>> = const { Cell::new(None) };
    /// Whether a clock is being read: what says how much time has passed may read it, too.
    static IS_READING: Cell<bool> = const { Cell::new(false) };
}

/// From now on, this thread's time and randomness are simulated: the wall clock shows `began` when
/// nothing has elapsed, and what is random follows from the seed.
pub fn simulate(seed: u64, began: Duration, elapsed: fn() -> Duration) {
    MACHINE.set(Some(Machine {
        elapsed,
        began,
        ahead_ms: 0,
        random: seed,
    }));
}

/// How far this thread's wall clock is ahead of the simulation's time, in milliseconds.
#[must_use]
pub fn ahead_ms() -> i64 {
    MACHINE.get().map_or(0, |machine| machine.ahead_ms)
}

/// Sets how far it is ahead.
pub fn set_ahead_ms(ahead_ms: i64) {
    let machine = MACHINE.get();
    MACHINE.set(machine.map(|machine| Machine {
        ahead_ms,
        ..machine
    }));
}

impl Machine {
    fn time(&self, clock: clockid_t) -> Duration {
        // What is asked inside of the question sees the beginning.
        let elapsed = if IS_READING.replace(true) {
            Duration::ZERO
        } else {
            let elapsed = (self.elapsed)();
            IS_READING.set(false);
            elapsed
        };
        match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => {
                let ahead = Duration::from_millis(self.ahead_ms.unsigned_abs());
                let now = self.began + elapsed;
                if self.ahead_ms < 0 {
                    now.saturating_sub(ahead)
                } else {
                    now + ahead
                }
            }
            _ => BOOTED + elapsed,
        }
    }
}

/// The next number of `SplitMix64`, which any seed starts well.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// As in the C library.
///
/// # Safety
/// `to` points to a `timespec` that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, to: *mut timespec) -> c_int {
    let Some(machine) = MACHINE.get() else {
        // SAFETY: the call that the C library makes, with the caller's own pointer.
        let outcome = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, to) };
        return c_int::try_from(outcome).unwrap_or(-1);
    };
    let time = machine.time(clock);
    let time = timespec {
        tv_sec: time_t::try_from(time.as_secs()).unwrap_or(time_t::MAX),
        tv_nsec: c_long::from(time.subsec_nanos()),
    };
    // SAFETY: the caller vouches for the pointer.
    unsafe { to.write(time) };
    0
}

/// As in the C library.
///
/// # Safety
/// `buffer` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    let Some(mut machine) = MACHINE.get() else {
        // SAFETY: the call that the C library makes, with the caller's own pointer.
        let outcome = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return ssize_t::try_from(outcome).unwrap_or(-1);
    };
    // SAFETY: the caller vouches for the pointer.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in buffer.chunks_mut(8) {
        let bytes = next(&mut machine.random).to_ne_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
    MACHINE.set(Some(machine));
    ssize_t::try_from(length).unwrap_or(ssize_t::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        thread,
        time::{Instant, SystemTime, UNIX_EPOCH},
    };

    use super::*;

    const BEGAN: Duration = Duration::from_secs(1_700_000_000);

    /// What a simulated thread sees.
    fn seen<T: Send + 'static>(seed: u64, look: fn() -> T) -> T {
        let simulated = move || {
            simulate(seed, BEGAN, || Duration::from_secs(5));
            look()
        };
        thread::spawn(simulated).join().expect("no panic")
    }

    #[test]
    fn a_simulated_thread_has_a_time_of_its_own() {
        let real = Instant::now();
        let now = seen(1, || SystemTime::now().duration_since(UNIX_EPOCH));
        assert_eq!(now.expect("after 1970"), BEGAN + Duration::from_secs(5));
        assert_eq!(seen(1, || Instant::now().elapsed()), Duration::ZERO);
        assert!(real.elapsed() > Duration::ZERO, "another one's goes on");
    }

    #[test]
    fn a_wall_clock_may_be_wrong() {
        let now = seen(1, || {
            set_ahead_ms(-1_500);
            SystemTime::now().duration_since(UNIX_EPOCH)
        });
        assert_eq!(
            now.expect("after 1970"),
            BEGAN + Duration::from_millis(3_500)
        );
    }

    #[test]
    fn randomness_follows_from_the_seed() {
        let order = || {
            (0..100)
                .collect::<HashSet<_>>()
                .into_iter()
                .collect::<Vec<i32>>()
        };
        assert_eq!(seen(7, order), seen(7, order));
        assert_ne!(seen(7, order), seen(8, order));
    }
}
