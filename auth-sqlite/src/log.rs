//! [`LogMover`]: moves the write-ahead log into the database, beside the commits.

use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

/// So many new pages, 400 KiB, are copied at a time: few, so that no commit waits long for a disk that is busy
/// with them.
const STEP: c_int = 100;
/// With so many pages, 16 MiB, the log is to begin anew.
const RENEW: c_int = 4_000;
/// So many pages are few enough for the writer to copy, while commits wait.
const LITTLE: c_int = 4 * STEP;
/// With so many pages, 64 MiB, commits wait for the thread, and those of other processes for the writer.
const TOO_MANY: c_int = 16_000;

thread_local! {
    /// How many pages are in the log of this thread's writer: its hook is a plain function.
    static PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// A thread that copies pages of the log to their places while commits append to it.
///
/// Commits never wait for that, but the log begins anew only once all of it was copied and nobody appends
/// meanwhile. Under load the writer sees to that: it copies what came since the thread began, syncs the
/// database, and goes on at the log's beginning.
pub(crate) struct LogMover {
    begin: Option<SyncSender<()>>,
    /// How many pages were copied, each time that the thread is done.
    done: Receiver<c_int>,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread is to say that it is done.
    under_way: bool,
    /// How many pages there were when it was last begun.
    seen: c_int,
}

impl LogMover {
    /// Starts the thread, with a connection of its own.
    pub(crate) fn start(connection: Connection) -> io::Result<Self> {
        let (begin, begun) = sync_channel(1);
        let (finish, done) = sync_channel(1);
        let thread = thread::Builder::new().name("auth-sqlite-log".into()).spawn(move || {
            while let Ok(()) = begun.recv() {
                if finish.send(copy(&connection, PASSIVE)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { begin: Some(begin), done, thread: Some(thread), under_way: false, seen: 0 })
    }

    /// Counts the pages of a writer that commits on this thread, which no longer moves its log by itself.
    pub(crate) fn watch(writer: &Connection) {
        writer.wal_hook(Some(|_: &Wal, pages| {
            PAGES.set(pages);
            Ok(())
        }));
    }

    /// Does after a commit of the writer what is to be done.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let pages = PAGES.get();
        if self.under_way {
            let copied = match pages < TOO_MANY {
                true => self.done.try_recv(),
                false => self.done.recv().map_err(|_| TryRecvError::Disconnected),
            };
            if copied == Err(TryRecvError::Empty) {
                return;
            }
            self.under_way = false;
            let left = pages.saturating_sub(copied.unwrap_or(0));
            let wanted = match pages {
                TOO_MANY.. => Some(RESTART),
                RENEW.. if left <= LITTLE => Some(PASSIVE),
                _ => None,
            };
            if let Some(checkpoint) = wanted {
                copy(writer, checkpoint);
                self.seen = pages;
                return;
            }
        }
        if pages < self.seen {
            // It has begun anew.
            self.seen = 0;
        }
        if pages - self.seen >= STEP {
            self.seen = pages;
            let begun = self.begin.as_ref().map(|begin| begin.try_send(()));
            self.under_way = matches!(begun, Some(Ok(())));
            if !self.under_way {
                // The thread is gone, by a panic.
                copy(writer, PASSIVE);
            }
        }
    }
}

impl Drop for LogMover {
    /// Waits until the thread has closed its connection: the writer's is to be the last.
    fn drop(&mut self) {
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            // Were it to panic, the log would be moved as the writer's connection closes.
            let _ = thread.join();
        }
    }
}

/// Waits for nobody.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// Keeps other processes from appending meanwhile.
const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";

/// Copies what can be copied, and says how many pages of the log were. What cannot be, because it is still read or
/// the disk is full, stays in the log, where it is as safe, and is tried again after the next commits.
fn copy(connection: &Connection, checkpoint: &str) -> c_int {
    connection.query_row(checkpoint, [], |row| row.get(2)).unwrap_or(0)
}
