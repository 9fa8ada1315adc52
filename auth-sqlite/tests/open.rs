//! Opening a database, and what stands in the way; space, locks, and what survives.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod scratch;

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use auth_sqlite::{OpenError, SqliteOptions, SqliteStore};
use auth_store::{
    Batch, Class, CommitError, CommitId, IndexEntry, Key, KeyRange, Main, NewRecord, Scan, Store,
    StoreError, TenantId, Timestamp, When, Write,
};
use rusqlite::Connection;
use scratch::Scratch;

/// Runs a future without any runtime: the store needs none.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn key(n: u64) -> Key {
    Key::builder(Class::Main, "row").number(n).build().unwrap()
}

fn put(n: u64, bytes: usize) -> Write {
    let record = NewRecord {
        key: key(n),
        value: format!("\"{}\"", "x".repeat(bytes)).into(),
        index: vec![IndexEntry::new("row_by_n", n.to_be_bytes())],
        keep_until: None,
        due: None,
    };
    Write::Put { record, when: When::Absent, old_index: vec![] }
}

/// A batch of the records `ns`; its id is that of the first.
fn batch(ns: &[u64], bytes: usize) -> Batch {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&ns[0].to_be_bytes());
    let start = Batch::builder::<Main>(CommitId::from_bytes(id), Timestamp::EPOCH);
    ns.iter().fold(start, |batch, n| batch.write(put(*n, bytes))).build().unwrap()
}

fn commit(store: &SqliteStore, ns: &[u64], bytes: usize) -> Result<(), CommitError> {
    wait(store.commit(TenantId::DEFAULT, &batch(ns, bytes))).map(drop)
}

fn has(store: &SqliteStore, n: u64) -> bool {
    wait(store.get(TenantId::DEFAULT, &[key(n)])).unwrap()[0].is_some()
}

fn quickly(path: &Path) -> SqliteOptions {
    SqliteOptions::file(path).busy_timeout(Duration::from_millis(50))
}

/// Tries to open what must not be opened, and sees that it is left as it was.
fn refused(path: &Path) -> OpenError {
    let before = fs::read(path).unwrap();
    let error = quickly(path).open().unwrap_err();
    assert!(fs::read(path).unwrap() == before, "the file was changed: {error}");
    error
}

#[test]
fn data_survive_reopening() {
    let scratch = Scratch::new();
    let store = SqliteStore::open(scratch.file()).unwrap();
    commit(&store, &[1, 2], 100).unwrap();
    drop(store);
    // The last to close has moved the log into the file.
    assert!(!scratch.file().with_extension("db-wal").exists());
    let store = SqliteOptions::file(scratch.file()).verify(true).open().unwrap();
    assert!(has(&store, 1) && has(&store, 2) && !has(&store, 3));
    let scan = Scan::records(KeyRange::class(Class::Main), 10);
    let page = wait(store.scan(TenantId::DEFAULT, &[scan])).unwrap().remove(0);
    assert_eq!(page.records.len(), 2);
}

#[test]
fn dropping_the_store_writes_what_is_queued() {
    let scratch = Scratch::new();
    let store = SqliteStore::open(scratch.file()).unwrap();
    for n in 0..200 {
        let batch = batch(&[n], 100);
        let mut commit = pin!(store.commit(TenantId::DEFAULT, &batch));
        // Queued, and then given up.
        let _ = commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    drop(store);
    let store = SqliteStore::open(scratch.file()).unwrap();
    assert!((0..200).all(|n| has(&store, n)));
}

#[test]
fn many_may_open_a_new_file_at_once() {
    for _ in 0..5 {
        let scratch = Scratch::new();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for n in 0..8 {
                let (scratch, start) = (&scratch, &start);
                scope.spawn(move || {
                    start.wait();
                    let store = SqliteStore::open(scratch.file()).unwrap();
                    commit(&store, &[n], 10).unwrap();
                });
            }
        });
        let store = SqliteStore::open(scratch.file()).unwrap();
        assert!((0..8).all(|n| has(&store, n)));
    }
}

#[test]
fn a_file_that_another_process_holds_is_locked() {
    let scratch = Scratch::new();
    drop(SqliteStore::open(scratch.file()).unwrap());
    let other = Connection::open(scratch.file()).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;").unwrap();
    let error = quickly(&scratch.file()).open().unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    drop(other);
    quickly(&scratch.file()).open().unwrap();
}

#[test]
fn a_read_only_file_is_told() {
    let scratch = Scratch::new();
    drop(SqliteStore::open(scratch.file()).unwrap());
    let mut mode = fs::metadata(scratch.file()).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(scratch.file(), mode).unwrap();
    let error = refused(&scratch.file());
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn a_missing_directory_and_a_directory_are_told() {
    let scratch = Scratch::new();
    let nowhere = scratch.file().join("nowhere").join("auth.db");
    let error = SqliteStore::open(&nowhere).unwrap_err();
    let OpenError::DirectoryMissing { dir } = &error else { panic!("{error:?}") };
    assert_eq!(dir, nowhere.parent().unwrap());
    assert!(!nowhere.parent().unwrap().exists());
    let error = SqliteStore::open(scratch.file().parent().unwrap()).unwrap_err();
    assert!(matches!(error, OpenError::NotAFile { .. }), "{error:?}");
}

#[test]
fn a_newer_version_is_told_and_left_alone() {
    let scratch = Scratch::new();
    drop(SqliteStore::open(scratch.file()).unwrap());
    let other = Connection::open(scratch.file()).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    let error = refused(&scratch.file());
    assert!(matches!(error, OpenError::NewerVersion { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("99"), "{error}");
}

#[test]
fn a_foreign_database_is_told_and_left_alone() {
    for (script, id) in [
        ("CREATE TABLE record (x)", 0),
        ("PRAGMA application_id = 252006674; CREATE TABLE fossil (x)", 252_006_674),
        ("PRAGMA application_id = 5; CREATE TABLE t (x); DROP TABLE t", 5),
        ("PRAGMA user_version = 3; CREATE TABLE t (x); DROP TABLE t", 0),
    ] {
        let scratch = Scratch::new();
        Connection::open(scratch.file()).unwrap().execute_batch(script).unwrap();
        let error = refused(&scratch.file());
        let OpenError::Foreign { application_id, .. } = error else { panic!("{error:?}") };
        assert_eq!(application_id, id);
    }
}

#[test]
fn a_damaged_file_is_told_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.file();
    fs::write(&path, "This is not a database, but it is long enough for one. ".repeat(100))
        .unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");

    fs::remove_file(&path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    (0..50).for_each(|n| commit(&store, &[n], 1000).unwrap());
    drop(store);
    let whole = fs::read(&path).unwrap();

    // Cut off.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");

    // A page overwritten: seen when it is read, or when the file is verified.
    let mut spoilt = whole.clone();
    let end = spoilt.len();
    spoilt[end - 3 * 4096..].fill(0xEE);
    fs::write(&path, &spoilt).unwrap();
    let error = quickly(&path).verify(true).open().unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    let store = SqliteStore::open(&path).unwrap();
    let keys: Vec<Key> = (0..50).map(key).collect();
    let error = wait(store.get(TenantId::DEFAULT, &keys)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    drop(store);

    // A table is gone.
    fs::write(&path, &whole).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("DROP VIEW record_text; DROP TABLE entry").unwrap();
    drop(other);
    let error = quickly(&path).open().unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_record_that_cannot_be_read_is_damaged() {
    let scratch = Scratch::new();
    let store = SqliteStore::open(scratch.file()).unwrap();
    commit(&store, &[1], 10).unwrap();
    let other = Connection::open(scratch.file()).unwrap();
    other
        .execute_batch("UPDATE record SET due_queue = 'unheard of', due_at = 1, due_shard = 1")
        .unwrap();
    let error = wait(store.get(TenantId::DEFAULT, &[key(1)])).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
}

#[test]
fn a_counter_that_is_no_number_refuses() {
    let store = SqliteStore::memory().unwrap();
    commit(&store, &[1], 10).unwrap();
    let add = Write::Add { key: key(1), n: 1, below: Some(5), keep_until: Timestamp::MAX };
    let batch = Batch::builder::<Main>(CommitId::from_bytes([9; 16]), Timestamp::EPOCH);
    let outcome = wait(store.commit(TenantId::DEFAULT, &batch.write(add).build().unwrap()));
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
}

#[test]
fn a_full_database_refuses_and_nothing_is_half_written() {
    let scratch = Scratch::new();
    let options = SqliteOptions::file(scratch.file()).max_bytes(400 * 1024);
    let store = options.clone().open().unwrap();
    commit(&store, &[1], 1000).unwrap();
    for _ in 0..2 {
        let outcome = commit(&store, &[2, 3, 4], 300 * 1024);
        assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
        assert!(!has(&store, 2) && !has(&store, 3) && !has(&store, 4));
    }
    // What is smaller has its place still, also in one transaction with what is too large.
    thread::scope(|scope| {
        for n in 10..30 {
            let store = &store;
            scope.spawn(move || {
                let outcome = commit(store, &[n], if n % 4 == 0 { 900 * 1024 } else { 1000 });
                match outcome {
                    Ok(()) => assert!(n % 4 != 0),
                    Err(CommitError::Unavailable(_)) => assert!(n % 4 == 0),
                    Err(error) => panic!("{error:?}"),
                }
            });
        }
    });
    drop(store);
    let store = options.verify(true).open().unwrap();
    assert!((10..30).all(|n| has(&store, n) == (n % 4 != 0)));
}

/// Run with a directory on a file system of about a megabyte:
/// `AUTH_SQLITE_SMALL_DISK=/mnt/small cargo test -p auth-sqlite --test open -- --ignored`.
#[test]
#[ignore = "needs AUTH_SQLITE_SMALL_DISK, a directory on a file system of about a megabyte"]
fn a_full_disk_refuses_and_nothing_is_half_written() {
    let path = Path::new(&std::env::var("AUTH_SQLITE_SMALL_DISK").unwrap()).join("auth.db");
    let store = SqliteStore::open(&path).unwrap();
    let mut written = 0;
    let error = loop {
        match commit(&store, &[written, written + 1], 10_000) {
            Ok(()) => written += 2,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk is not small");
    };
    println!("after {written} records: {error:?}");
    assert!(matches!(error, CommitError::Unavailable(_)), "{error:?}");
    assert!((0..written).all(|n| has(&store, n)), "an acknowledged commit is lost");
    assert!(!has(&store, written) && !has(&store, written + 1), "half of a commit is there");
    drop(store);
    let store = SqliteOptions::file(&path).verify(true).open().unwrap();
    assert!((0..written).all(|n| has(&store, n)) && !has(&store, written));
}

#[test]
fn a_lock_that_is_not_got_in_time_refuses() {
    let scratch = Scratch::new();
    let store = quickly(&scratch.file()).open().unwrap();
    let other = Connection::open(scratch.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcome = commit(&store, &[1], 10);
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    // Nobody who only reads has to wait, or who opens.
    assert!(!has(&store, 1));
    assert!(!has(&quickly(&scratch.file()).open().unwrap(), 1));
    other.execute_batch("COMMIT").unwrap();
    commit(&store, &[1], 10).unwrap();
    assert!(has(&store, 1));
}

#[cfg(unix)]
#[test]
fn the_files_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let store = SqliteStore::open(scratch.file()).unwrap();
    commit(&store, &[1], 10).unwrap();
    for name in ["auth.db", "auth.db-wal", "auth.db-shm"] {
        let mode = fs::metadata(scratch.file().with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_path_is_a_path_and_nothing_else() {
    let scratch = Scratch::new();
    for name in [":memory:", "file:auth.db?mode=memory", "ä & b?.db"] {
        let path = scratch.file().with_file_name(name);
        let store = SqliteStore::open(&path).unwrap();
        commit(&store, &[1], 10).unwrap();
        drop(store);
        assert!(has(&SqliteStore::open(&path).unwrap(), 1), "{name}");
    }
}

#[test]
fn people_can_read_the_records() {
    let scratch = Scratch::new();
    let store = SqliteStore::open(scratch.file()).unwrap();
    let key = Key::builder(Class::Main, "client").text("my app").bytes(b"\xff").build().unwrap();
    let record = NewRecord {
        key,
        value: "{}".into(),
        index: vec![],
        keep_until: Timestamp::from_secs(1_700_000_000),
        due: None,
    };
    let batch = Batch::builder::<Main>(CommitId::from_bytes([0xAB; 16]), Timestamp::EPOCH)
        .write(Write::Put { record, when: When::Absent, old_index: vec![] })
        .build()
        .unwrap();
    wait(store.commit(TenantId::DEFAULT, &batch)).unwrap();
    let other = Connection::open(scratch.file()).unwrap();
    let row: (String, String, String, String) = other
        .query_row("SELECT class, key, version, keep_until FROM record_text", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    let expected = ("main", "/client/my app/\\xFF", "ab".repeat(16), "2023-11-14T22:13:20.000Z");
    assert_eq!((&*row.0, &*row.1, row.2, &*row.3), expected);
}

#[test]
fn the_log_begins_anew_while_commits_go_on() {
    let scratch = Scratch::new();
    let path = scratch.file();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let callers: Vec<_> = (0..4_u64)
        .map(|caller| {
            let store = store.clone();
            thread::spawn(move || {
                for n in 0..3_000 {
                    commit(&store, &[caller * 1_000_000 + n], 3_000).unwrap();
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let log = path.with_extension("db-wal");
    let length = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(length(&path) > 8_000_000, "the records came to their places");
    // Without a new beginning it would hold all of them, and several pages for each.
    assert!(length(&log) < 75_000_000, "{}", length(&log));
    drop(store);
    assert!(!log.exists(), "the writer's connection was the last");
    let store = SqliteStore::open(&path).unwrap();
    assert!((0..4).all(|caller| has(&store, caller * 1_000_000 + 2_999)));
}
