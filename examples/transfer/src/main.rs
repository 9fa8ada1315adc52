//! Moves a database of the auth SDK: into a file, out of one, into another backend.
//!
//! ```text
//! transfer export --from sqlite:auth.db --to auth.jsonl
//! transfer import --from auth.jsonl     --to postgres://…
//! transfer copy   --from sqlite:auth.db --to postgres://…?schema=auth
//! transfer verify --from sqlite:auth.db --to postgres://…
//! ```
//!
//! Stop the servers first: what is moved is not one moment of the database. A command that was interrupted
//! is repeated: an export goes on with its file, and the others leave alone what they find done. The file is
//! as sensitive as the database. `postgres://…,redis://…` is the two databases of a `Tiered`.

mod database;
mod display;

use std::path::PathBuf;
use std::process::ExitCode;

use auth_core::transfer::{self, TransferError};
use auth_core::{Clock, SystemClock};
use clap::{Parser, Subcommand};

use database::{Address, NotOpened};
use display::Meter;

#[derive(Debug, Parser)]
#[command(name = "transfer", about = "Moves a database of the auth SDK", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write a database into a file of JSON lines; repeated, go on with a file that is not whole
    Export {
        /// The database
        #[arg(long, value_name = "DATABASE")]
        from: Address,
        /// The file; as sensitive as the database, and made for its owner alone
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Write the records of a file into a database; whatever stands there already is left alone
    Import {
        /// The file that an export wrote
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The database
        #[arg(long, value_name = "DATABASE")]
        to: Address,
        /// Leave out the lines before this one
        #[arg(long, value_name = "LINE", default_value_t = 1)]
        first_line: u64,
    },
    /// Write the records of a database into another; whatever stands there already is left alone
    Copy {
        /// The database that is read
        #[arg(long, value_name = "DATABASE")]
        from: Address,
        /// The database that is written
        #[arg(long, value_name = "DATABASE")]
        to: Address,
    },
    /// Compare two databases record by record
    Verify {
        /// One of them
        #[arg(long, value_name = "DATABASE")]
        from: Address,
        /// The other
        #[arg(long, value_name = "DATABASE")]
        to: Address,
    },
}

/// Why the command did not do what it was to do.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Open(#[from] NotOpened),
    #[error("{}: {source}", .file.display())]
    File { file: PathBuf, source: TransferError },
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(
        "{0} keys are held by other records, which were left as they are: is this the right database? \
         Import into an empty one, or remove those records"
    )]
    Conflicts(u64),
    #[error("the databases differ at {0} places: stop what writes to them, and copy again")]
    Different(u64),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().task).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("transfer: {}", display::with_causes(&failed));
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> Result<(), Failed> {
    let meter = Meter::new();
    match task {
        Task::Export { from, to } => {
            let from = from.open_existing().await?;
            let now = SystemClock::default().now();
            let exported = transfer::export_file(&*from, &to, now, meter.progress()).await;
            let exported = exported.map_err(|source| Failed::File { file: to.clone(), source })?;
            println!("{} records exported, SHA-256 {}", exported.records, exported.sha256);
        }
        Task::Import { from, to, first_line } => {
            let to = to.open().await?;
            let imported = transfer::import_file(&from, &*to, first_line, meter.progress()).await;
            let imported = imported.map_err(|source| Failed::File { file: from, source })?;
            display::imported(&imported, "line");
            no_conflicts(imported.conflicting)?;
        }
        Task::Copy { from, to } => {
            let (from, to) = (from.open_existing().await?, to.open().await?);
            let copied = transfer::copy(&*from, &*to, meter.progress()).await?;
            display::imported(&copied, "record");
            no_conflicts(copied.conflicting)?;
        }
        Task::Verify { from, to } => {
            let (from, to) = (from.open_existing().await?, to.open_existing().await?);
            let comparison = transfer::verify(&*from, &*to, meter.progress()).await?;
            display::comparison(&comparison);
            if !comparison.is_same() {
                return Err(Failed::Different(comparison.differing));
            }
        }
    }
    Ok(())
}

fn no_conflicts(conflicting: u64) -> Result<(), Failed> {
    if conflicting == 0 { Ok(()) } else { Err(Failed::Conflicts(conflicting)) }
}
