//! Waits for a lock that another process holds.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Error, ErrorCode};

/// Whether another connection is in the way for the moment.
fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Repeats what SQLite refuses because another connection holds a lock.
///
/// SQLite's own waiting sleeps up to a tenth of a second between two attempts; beside a process that
/// commits without a pause it would hardly ever hit the moment in which the lock is free. And it does
/// not wait at all for the change into WAL mode.
pub(crate) fn patiently<T>(
    timeout: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    const QUICK: u32 = 20;
    let began = Instant::now();
    let mut attempts = 0;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && began.elapsed() < timeout => {
                attempts += 1;
                let pause = if attempts < QUICK { 100 } else { 1000 };
                thread::sleep(Duration::from_micros(pause));
            }
            outcome => return outcome,
        }
    }
}
