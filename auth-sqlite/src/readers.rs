//! [`Readers`]: a few connections that reads share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use auth_store::StoreError;
use rusqlite::Connection;

use crate::error::read_failed;

/// Connections for reading, each used by one thread at a time.
#[derive(Debug)]
pub(crate) struct Readers {
    stripes: Vec<Arc<Mutex<Connection>>>,
}

thread_local! {
    /// The number of this thread, of those that read. It begins with the same connection each time, so that its
    /// pages and statements are near.
    static NUMBER: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Readers {
    pub(crate) fn new(stripes: Vec<Arc<Mutex<Connection>>>) -> Self {
        Self { stripes }
    }

    pub(crate) fn len(&self) -> usize {
        self.stripes.len()
    }

    /// Closes the connections.
    pub(crate) fn close(&mut self) {
        self.stripes.clear();
    }

    /// Reads at one moment of the database; `statements` is how many statements that takes.
    pub(crate) fn at_one_moment<T>(
        &self,
        statements: usize,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Some(mut connection) = self.lock() else {
            return Err(StoreError::Unavailable("the store is closed".into()));
        };
        // A single statement is a moment by itself.
        if statements < 2 {
            return read(&connection).map_err(read_failed);
        }
        let transaction = connection.transaction().map_err(read_failed)?;
        let outcome = read(&transaction).map_err(read_failed)?;
        transaction.commit().map_err(read_failed)?;
        Ok(outcome)
    }

    /// A connection that is free, or else this thread's.
    fn lock(&self) -> Option<MutexGuard<'_, Connection>> {
        let count = self.stripes.len();
        let first = NUMBER.with(|number| *number);
        let turn = |i: usize| self.stripes.get(first.wrapping_add(i).checked_rem(count)?);
        for stripe in (0..count).filter_map(turn) {
            match stripe.try_lock() {
                Ok(connection) => return Some(connection),
                // A panic elsewhere leaves a connection whose transaction was rolled back.
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        turn(0).map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
