//! The command, as a person types it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::{Command, Output};

use auth_core::store::{
    Archive, Archived, Class, CommitId, IndexEntry, Key, Record, TenantId, Timestamp,
};
use auth_sqlite::SqliteStore;

/// A folder that goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("transfer-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Runs the command here.
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_transfer"))
            .args(line.split(' '))
            .current_dir(&self.0)
            .output()
            .unwrap()
    }

    fn succeeds(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(!output.status.success(), "{line} succeeds");
        String::from_utf8(output.stderr).unwrap()
    }

    async fn fill(&self, file: &str, records: std::ops::Range<u64>, value: &str) {
        let store = SqliteStore::open(self.0.join(file)).unwrap();
        let records: Vec<Archived> = records.map(|n| archived(n, value)).collect();
        for page in records.chunks(1000) {
            store.restore(page).await.unwrap();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn archived(number: u64, value: &str) -> Archived {
    let record = Record {
        key: Key::builder(Class::Main, "thing").number(number).build().unwrap(),
        version: CommitId::from_bytes([1; 16]),
        value: value.into(),
        keep_until: Some(Timestamp::MAX),
        due: None,
    };
    let index = vec![IndexEntry::new("by_number", number.to_be_bytes())];
    Archived { tenant: TenantId::DEFAULT, record, index }
}

#[tokio::test]
async fn a_database_is_moved_through_a_file_and_compared() {
    let folder = Folder::new("file");
    folder.fill("a.db", 0..1500, "{}").await;
    let exported = folder.succeeds("export --from sqlite:a.db --to a.jsonl");
    assert!(exported.starts_with("1500 records exported"), "{exported}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = folder.0.join("a.jsonl").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let imported = folder.succeeds("import --from a.jsonl --to sqlite:b.db");
    assert!(imported.starts_with("1500 records written, 0 were"), "{imported}");
    let same = folder.succeeds("verify --from sqlite:a.db --to sqlite:b.db");
    let mut lines = same.lines();
    assert_eq!(lines.next(), lines.next(), "{same}");
    let again = folder.succeeds("import --from a.jsonl --to sqlite:b.db");
    assert!(again.starts_with("0 records written, 1500 were"), "{again}");
    let finished = folder.fails("export --from sqlite:a.db --to a.jsonl");
    assert!(finished.contains("finished export of 1500 records"), "{finished}");
}

#[tokio::test]
async fn an_interrupted_export_goes_on_when_it_is_repeated() {
    let folder = Folder::new("resumed");
    folder.fill("a.db", 0..1500, "{}").await;
    folder.succeeds("export --from sqlite:a.db --to whole.jsonl");
    let whole = std::fs::read(folder.0.join("whole.jsonl")).unwrap();
    std::fs::write(folder.0.join("cut.jsonl"), &whole[..whole.len() / 2]).unwrap();
    let cut = folder.fails("import --from cut.jsonl --to sqlite:b.db");
    assert!(cut.contains("cut.jsonl: the archive ends at line"), "{cut}");
    folder.succeeds("export --from sqlite:a.db --to cut.jsonl");
    let resumed = std::fs::read(folder.0.join("cut.jsonl")).unwrap();
    let after_header = |file: &[u8]| file.splitn(2, |b| *b == b'\n').nth(1).unwrap().to_vec();
    assert_eq!(after_header(&resumed), after_header(&whole));
}

#[tokio::test]
async fn a_copy_tells_what_it_left_alone_and_verify_what_differs() {
    let folder = Folder::new("copy");
    folder.fill("a.db", 0..10, "{}").await;
    folder.fill("b.db", 0..5, "{}").await;
    folder.fill("b.db", 5..6, "{\"other\":1}").await;
    let output = folder.run("copy --from sqlite:a.db --to sqlite:b.db");
    let (told, failed) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(told.starts_with("4 records written, 6 were there already"), "{told}");
    assert!(told.contains("record 6: another thing of tenant default stands there"), "{told}");
    assert!(!output.status.success() && failed.contains("1 keys are held"), "{failed}");
    let different = folder.fails("verify --from sqlite:a.db --to sqlite:b.db");
    assert!(different.contains("differ at 1 places"), "{different}");
}

#[tokio::test]
async fn a_redis_of_the_side_is_named_after_a_comma() {
    if testbed::component("moving a Tiered", "AUTH_TEST_REDIS_SERVER").is_none() {
        return;
    }
    // It keeps nothing on disk, which a Redis beside another database may.
    let redis = testbed::Redis::setup().setting("appendonly", "no").start().unwrap();
    let folder = Folder::new("tiered");
    folder.fill("a.db", 0..3, "{}").await;
    let store = SqliteStore::open(folder.0.join("a.db")).unwrap();
    let mut side = archived(7, "1");
    side.record.key = Key::builder(Class::Side, "failures").text("somebody").build().unwrap();
    side.index.clear();
    store.restore(&[side]).await.unwrap();
    let to = format!("sqlite:b.db,{}#moved", redis.url());
    let copied = folder.succeeds(&format!("copy --from sqlite:a.db --to {to}"));
    assert!(copied.starts_with("4 records written, 0 were"), "{copied}");
    folder.succeeds(&format!("verify --from sqlite:a.db --to {to}"));
    let main = folder.fails("verify --from sqlite:a.db --to sqlite:b.db");
    assert!(main.contains("differ at 1 places"), "the counter is in Redis: {main}");
}

#[tokio::test]
async fn what_is_mistyped_is_told_and_makes_no_database() {
    let folder = Folder::new("mistyped");
    let missing = folder.fails("export --from sqlite:none.db --to a.jsonl");
    assert!(missing.contains("there is no database none.db"), "{missing}");
    assert!(!folder.0.join("none.db").exists());
    let unknown = folder.fails("export --from mysql:x --to a.jsonl");
    assert!(unknown.contains("sqlite:PATH"), "{unknown}");
    std::fs::write(folder.0.join("notes.txt"), "my notes").unwrap();
    folder.fill("a.db", 0..1, "{}").await;
    let foreign = folder.fails("export --from sqlite:a.db --to notes.txt");
    assert!(foreign.contains("notes.txt: line 1 is not the header"), "{foreign}");
    assert_eq!(std::fs::read(folder.0.join("notes.txt")).unwrap(), b"my notes");
}
