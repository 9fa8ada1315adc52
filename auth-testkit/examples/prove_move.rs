//! Shows that a database moves from SQLite to PostgreSQL and back, and that its tokens are good after.
//!
//! A provider on SQLite issues grants until there are about N records. They are exported into a file,
//! imported into PostgreSQL, and compared; then the same back into another SQLite file. A provider on
//! each copy finds the old tokens active and refreshes them.
//!
//! ```text
//! prove_move [--rounds N] [--seed S]
//! ```

#[allow(dead_code, reason = "other proofs use more of it")]
mod scene;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use auth_core::store::{Archive, Store};
use auth_core::transfer::{Exported, Quiet, export_file, import_file, verify};
use auth_core::{Clock, SystemClock};
use testbed::Backend;

use scene::arguments::Arguments;
use scene::bulk::Fresh;
use scene::folder::Folder;
use scene::{Failure, Scene, Tokens, database, must};

/// A grant leaves a code, a grant, an access token and a refresh family.
const RECORDS_EACH: u64 = 4;
/// How many grants' tokens are tried.
const SAMPLE: u64 = 300;

async fn prove() -> Result<(), Failure> {
    let arguments = Arguments::read(5_000)?;
    let folder = Folder::new("move")?;
    let (_first, sqlite) = database::new(Backend::Sqlite).await?;
    let (_second, postgres) = database::new(Backend::Postgres).await?;
    let (_third, back) = database::new(Backend::Sqlite).await?;

    println!("| step | records | seconds | records/s | MB |\n|---|---:|---:|---:|---:|");
    let begun = Instant::now();
    Scene::open(sqlite.clone(), SystemClock::default()).await?;
    let grants = arguments.rounds.div_ceil(RECORDS_EACH);
    let fresh = Fresh::of(&*sqlite).await?;
    let tokens = fresh.issue(&*sqlite, SystemClock::default(), grants, SAMPLE).await?;
    let filled = begun.elapsed();

    let steps = Steps { file: &folder.file("there.jsonl") };
    let there = steps.run(&sqlite, "SQLite", &postgres, "PostgreSQL").await?;
    let steps = Steps { file: &folder.file("back.jsonl") };
    let again = steps.run(&postgres, "PostgreSQL", &back, "SQLite").await?;
    must(there.records >= arguments.rounds, "there are as many records as were asked for")?;
    must(there == again, "the files have the same count and digest")?;

    use_tokens("PostgreSQL", postgres, &tokens).await?;
    use_tokens("SQLite again", back, &tokens).await?;
    println!(
        "\n{grants} grants issued by the engine in {:.0} s; each file has {} records with SHA-256 \
         `{}`; tokens of {} grants tried on each copy.",
        filled.as_secs_f64(),
        there.records,
        there.sha256,
        tokens.len()
    );
    Ok(())
}

/// Export, import and comparison through one file.
struct Steps<'a> {
    file: &'a Path,
}

impl Steps<'_> {
    async fn run(
        &self,
        from: &Arc<dyn Archive>,
        from_name: &str,
        into: &Arc<dyn Archive>,
        into_name: &str,
    ) -> Result<Exported, Failure> {
        let begun = Instant::now();
        let exported = export_file(&**from, self.file, SystemClock::default().now(), Quiet).await?;
        row(&format!("export from {from_name}"), &exported, begun);
        let begun = Instant::now();
        let imported = import_file(self.file, &**into, 1, Quiet).await?;
        row(&format!("import into {into_name}"), &exported, begun);
        must(imported.written == exported.records, "every record was written")?;
        let begun = Instant::now();
        let comparison = verify(&**from, &**into, Quiet).await?;
        row(&format!("verify {from_name} against {into_name}"), &exported, begun);
        must(comparison.is_same(), "both hold the same records")?;
        must(comparison.left == exported, "the file holds what the database holds")?;
        Ok(exported)
    }
}

fn row(step: &str, exported: &Exported, begun: Instant) {
    let (records, seconds) = (exported.records, begun.elapsed().as_secs_f64());
    let (rate, megabytes) = (records as f64 / seconds, exported.bytes as f64 / 1e6);
    println!("| {step} | {records} | {seconds:.1} | {rate:.0} | {megabytes:.0} |");
}

/// A provider on the copy knows the tokens that were issued on the original.
async fn use_tokens(name: &str, store: Arc<dyn Store>, tokens: &[Tokens]) -> Result<(), Failure> {
    let scene = Scene::open(store, SystemClock::default()).await?;
    for old in tokens {
        must(scene.is_active(&old.access).await?, &format!("access tokens are good on {name}"))?;
        must(scene.is_active(&old.refresh).await?, &format!("refresh tokens are good on {name}"))?;
        let new = scene.refresh(&old.refresh).await?.ok_or("a refresh is refused")?;
        must(scene.is_active(&new.access).await?, &format!("a refresh works on {name}"))?;
    }
    must(!scene.is_active("at_unknown").await?, "an unknown token is not good")
}

#[tokio::main]
async fn main() -> ExitCode {
    match prove().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}
