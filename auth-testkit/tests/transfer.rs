//! A database is moved through a file: everything that was issued before is good after.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../examples/scene/mod.rs"]
#[allow(dead_code, reason = "proofs use more of it")]
mod scene;

use std::sync::Arc;

use auth_core::Timestamp;
use auth_core::store::{
    Archive, Archived, Class, CommitId, IndexEntry, Key, MemoryStore, Record, Store, TenantId,
};
use auth_core::transfer::{
    Imported, Partial, Quiet, Side, TransferError, check, copy, export, import, resume, verify,
};
use auth_sqlite::SqliteStore;
use auth_testkit::TestClock;
use scene::Scene;
use scene::folder::Folder;
use testbed::Backend;

/// The whole archive as text.
async fn exported(from: &dyn Archive) -> String {
    let mut file = Vec::new();
    export(from, &mut file, Timestamp::EPOCH, Quiet).await.unwrap();
    String::from_utf8(file).unwrap()
}

async fn imported(file: &str, into: &dyn Archive) -> Result<Imported, TransferError> {
    import(file.as_bytes(), into, 1, Quiet).await
}

fn thing(tenant: &str, number: u64, value: &str) -> Archived {
    let record = Record {
        key: Key::builder(Class::Main, "thing").number(number).build().unwrap(),
        version: CommitId::from_bytes([1; 16]),
        value: value.into(),
        keep_until: None,
        due: None,
    };
    let index = vec![IndexEntry::new("thing_by_number", number.to_be_bytes())];
    Archived { tenant: TenantId::new(tenant).unwrap(), record, index }
}

/// A store with the given things of two tenants.
async fn things(numbers: std::ops::Range<u64>) -> MemoryStore {
    let store = MemoryStore::new();
    for tenant in ["a", "b"] {
        let things: Vec<_> = numbers.clone().map(|number| thing(tenant, number, "{}")).collect();
        for page in things.chunks(1000) {
            store.restore(page).await.unwrap();
        }
    }
    store
}

/// Issues tokens on one backend, moves the database through a file, and uses them on the other.
async fn survives(from: Arc<dyn Archive>, into: Arc<dyn Archive>) {
    let clock = TestClock::at_present();
    let scene = Scene::open(from.clone(), clock.clone()).await.unwrap();
    let session = scene.sign_in("alice").await.unwrap();
    let tokens = scene.grant(&session).await.unwrap();
    let used = scene.grant(&session).await.unwrap();
    let successor = scene.refresh(&used.refresh).await.unwrap().unwrap();
    let code = scene.code(&session).await.unwrap();

    let file = exported(&*from).await;
    let moved = imported(&file, &*into).await.unwrap();
    assert_eq!((moved.kept, moved.conflicting), (0, 0));
    assert!(verify(&*from, &*into, Quiet).await.unwrap().is_same());

    let scene = Scene::open(into, clock.clone()).await.unwrap();
    for token in [&tokens.access, &tokens.refresh, &used.access, &successor.refresh] {
        assert!(scene.is_active(token).await.unwrap());
    }
    assert!(scene.refresh(&tokens.refresh).await.unwrap().is_some(), "a refresh token is good");
    assert!(scene.code(&session).await.is_ok(), "the person is still signed in");
    assert_eq!(
        scene.redeem(&code).await.unwrap().map(|tokens| tokens.refresh.is_empty()),
        Some(false),
        "a code that was not redeemed is good"
    );
    clock.advance(std::time::Duration::from_secs(60));
    assert!(scene.refresh(&used.refresh).await.unwrap().is_none(), "a used one is not");
    assert!(!scene.is_active(&successor.access).await.unwrap(), "and its reuse kills the family");
}

#[tokio::test]
async fn tokens_survive_the_move_from_sqlite_to_each_backend() {
    for backend in Backend::ALL {
        let Some(database) = backend.database().await else { continue };
        println!("from sqlite to {}", backend.name());
        survives(Arc::new(SqliteStore::memory().unwrap()), database.archive().await).await;
    }
}

#[tokio::test]
async fn tokens_survive_the_move_from_each_backend_to_sqlite() {
    let folder = Folder::new("transfer-test").unwrap();
    for backend in Backend::ALL {
        let Some(database) = backend.database().await else { continue };
        println!("from {} to sqlite", backend.name());
        let into = SqliteStore::open(folder.file(&format!("{}.db", backend.name()))).unwrap();
        survives(database.archive().await, Arc::new(into)).await;
    }
}

#[tokio::test]
async fn equal_databases_give_equal_files() {
    let (memory, sqlite) = (things(0..1200).await, SqliteStore::memory().unwrap());
    let copied = copy(&memory, &sqlite, Quiet).await.unwrap();
    assert_eq!((copied.records, copied.written), (2400, 2400));
    assert_eq!(exported(&memory).await, exported(&sqlite).await);
}

#[tokio::test]
async fn a_file_that_was_cut_or_changed_is_refused_by_its_line() {
    let file = exported(&things(0..10).await).await;
    assert_eq!(check(file.as_bytes()).unwrap().records, 20);

    let lines: Vec<&str> = file.lines().collect();
    let without_trailer = lines[..21].join("\n") + "\n";
    let cut = check(without_trailer.as_bytes()).unwrap_err();
    assert!(matches!(cut, TransferError::Cut { line: 21 }), "{cut}");
    let in_a_line = check(&file.as_bytes()[..file.len() / 2]).unwrap_err();
    assert!(matches!(in_a_line, TransferError::Cut { .. }), "{in_a_line}");
    let line_missing = [&lines[..5], &lines[6..]].concat().join("\n") + "\n";
    let changed = check(line_missing.as_bytes()).unwrap_err();
    assert!(matches!(changed, TransferError::Changed { expected: 20, found: 19, .. }), "{changed}");
    let value = file.replacen("\"value\":{}", "\"value\":[]", 1);
    let changed = check(value.as_bytes()).unwrap_err();
    assert!(matches!(changed, TransferError::Changed { found: 20, .. }), "{changed}");
    let member = file.replacen("\"value\":{}", "\"valu\":{}", 1);
    let unknown = check(member.as_bytes()).unwrap_err();
    assert!(matches!(unknown, TransferError::Line { line: 2, .. }), "{unknown}");
    let more = check((file.clone() + lines[1] + "\n").as_bytes()).unwrap_err();
    assert!(matches!(more, TransferError::AfterTrailer { line: 23 }), "{more}");

    // A stream is imported as far as it is whole, and the import fails at the end.
    let into = MemoryStore::new();
    let cut = imported(&without_trailer, &into).await.unwrap_err();
    assert!(matches!(cut, TransferError::Cut { line: 21 }), "{cut}");
}

#[tokio::test]
async fn a_file_of_another_format_or_version_is_refused() {
    let file = exported(&things(0..1).await).await;
    assert!(check(file.as_bytes()).is_ok());
    let newer = check(file.replacen("\"version\":1", "\"version\":2", 1).as_bytes()).unwrap_err();
    assert!(matches!(newer, TransferError::Version { found: 2, known: 1 }), "{newer}");
    for other in ["", "notes\n", "{}\n", &file.replacen("auth-archive", "other", 1)] {
        let refused = check(other.as_bytes()).unwrap_err();
        assert!(matches!(refused, TransferError::NotAnArchive), "{refused}");
    }
}

#[tokio::test]
async fn another_record_under_a_key_is_left_alone_and_told_by_its_line() {
    let file = exported(&things(0..700).await).await;
    let into = things(0..300).await;
    assert_eq!(imported(&file, &into).await.unwrap().conflicting, 0, "the same is no conflict");

    let into = MemoryStore::new();
    let other = thing("b", 650, "{\"other\":1}");
    into.restore(std::slice::from_ref(&other)).await.unwrap();
    let moved = imported(&file, &into).await.unwrap();
    assert_eq!((moved.records, moved.written, moved.kept), (1400, 1399, 1));
    assert_eq!(moved.conflicting, 1);
    assert_eq!((moved.conflicts[0].line, &moved.conflicts[0].place), (1352, &other.place()));
    let kept = into.get(other.tenant, std::slice::from_ref(&other.record.key)).await.unwrap();
    assert_eq!(kept[0].as_ref(), Some(&other.record));
}

#[tokio::test]
async fn an_export_goes_on_from_the_last_whole_line() {
    let from = things(0..1500).await;
    let whole = exported(&from).await;
    let header = whole.find('\n').unwrap() + 1;
    for cut in [header, header + 1, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
        let partial = Partial::read(&whole.as_bytes()[..cut]).unwrap().unwrap();
        assert!(!partial.is_finished());
        let mut file = whole.as_bytes()[..usize::try_from(partial.whole()).unwrap()].to_vec();
        resume(partial, &from, &mut file, Quiet).await.unwrap();
        assert!(file == whole.as_bytes(), "cut at {cut}");
    }
    assert!(Partial::read(whole.as_bytes()).unwrap().unwrap().is_finished());
    assert!(Partial::read(&whole.as_bytes()[..10]).unwrap().is_none(), "the header was cut");
    assert!(matches!(Partial::read(&b"notes"[..]), Err(TransferError::NotAnArchive)));
}

#[tokio::test]
async fn an_import_goes_on_from_a_line() {
    let from = things(0..1500).await;
    let (file, into) = (exported(&from).await, MemoryStore::new());
    let cut: String = file.split_inclusive('\n').take(1801).collect();
    assert!(imported(&cut, &into).await.is_err());
    let mut told = 0;
    let progress = |moved: &auth_core::transfer::Moved<'_>| told = moved.records;
    let moved = import(file.as_bytes(), &into, 1000, progress).await.unwrap();
    assert_eq!((moved.records, told), (2002, 2002));
    assert!(moved.kept > 0 && moved.conflicting == 0, "{moved:?}");
    assert!(verify(&from, &into, Quiet).await.unwrap().is_same());
}

#[tokio::test]
async fn a_difference_is_told_by_its_place() {
    let (left, right) = (things(0..1100).await, things(0..1100).await);
    assert!(verify(&left, &right, Quiet).await.unwrap().is_same());
    left.restore(&[thing("a", 5000, "{}")]).await.unwrap();
    right.restore(&[thing("b", 6000, "{}")]).await.unwrap();
    left.restore(&[thing("c", 1, "{}")]).await.unwrap();
    let mut other = thing("c", 1, "{}");
    other.index.clear();
    right.restore(&[other]).await.unwrap();
    let comparison = verify(&left, &right, Quiet).await.unwrap();
    assert!(!comparison.is_same());
    let found: Vec<_> = comparison
        .differences
        .iter()
        .map(|difference| (difference.place.tenant.to_string(), difference.side))
        .collect();
    let expected = [("a", Side::Left), ("b", Side::Right), ("c", Side::Both)];
    assert_eq!(found, expected.map(|(tenant, side)| (tenant.to_owned(), side)));
}
