//! `std`'s lock and condition variable without poisoning, and the same of loom for what loom models.
//!
//! [`model`] is `std` like the rest, but loom under `--cfg loom`. Only code that has a model uses it;
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --lib --release loom_` runs the models.

use std::sync::PoisonError;
use std::time::Instant;

pub use std::sync::{Condvar, Mutex, MutexGuard};

macro_rules! functions {
    () => {
        /// Locks. A poisoned lock is taken as it is: the release build aborts on panic, so only tests see one.
        pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
            mutex.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Waits for a notification; may wake without one.
        pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        /// Waits for a notification, at most until `deadline`; may wake without either.
        pub fn wait_until<'a, T>(
            condvar: &Condvar,
            guard: MutexGuard<'a, T>,
            deadline: Instant,
        ) -> MutexGuard<'a, T> {
            let left = deadline.saturating_duration_since(Instant::now());
            match condvar.wait_timeout(guard, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            }
        }
    };
}

functions!();

/// For `net::ready` and `queue::memory`.
#[cfg(not(loom))]
pub mod model {
    pub use super::{Condvar, Mutex, MutexGuard, lock, wait, wait_until};
}

/// For `net::ready` and `queue::memory`.
#[cfg(loom)]
pub mod model {
    use super::{Instant, PoisonError};

    pub use loom::sync::{Condvar, Mutex, MutexGuard};

    functions!();
}
