//! Shows that nothing acknowledged is lost, and nothing happens twice, when a server process or its
//! database is killed under load.
//!
//! Several clients sign in, redeem codes, refresh, introspect and revoke over HTTP without a pause, and keep
//! a record of what was acknowledged. On SQLite and on PostgreSQL the server process is killed by SIGKILL N
//! times and started again; then PostgreSQL is shut down or killed N / 10 times beside a server process
//! that is left alone. After each crash the record is compared with what the server says:
//!
//! - a code is redeemed once; an acknowledged one is redeemable, a redeemed one is refused;
//! - what was acknowledged as revoked is refused, every other acknowledged token is active, and the newest
//!   refresh token works;
//! - what was not acknowledged happened or did not, and what was seen of it once stays so.
//!
//! Two broken stores must be found by the same means, or nothing is shown.
//!
//! ```text
//! prove_crash [--rounds N] [--seed S]
//! ```

mod crash;
#[allow(dead_code, reason = "another proof uses more of it")]
mod nodes;

use std::process::ExitCode;

use crash::{database, found, process};
use nodes::process::NAME;
use nodes::serve::Task;
use nodes::sessions::Sessions;
use nodes::{Arguments, Failure};
use testbed::{Folder, Postgres};

async fn prove() -> Result<(), Failure> {
    let Arguments { rounds, seed } = Arguments::read(200)?;
    let folder = Folder::new()?;
    let sqlite = |name: &str| format!("sqlite:{}", folder.file(name).display());

    println!("{}", crash::HEAD);
    let row = process::prove("SQLite", &sqlite("auth.db"), None, rounds, seed, None).await?;
    println!("{row}");
    let mut postgres = tokio::task::block_in_place(Postgres::start)?;
    let spec = format!("{}?schema=killed&connections=8&application_name={NAME}", postgres.url());
    let sessions = Sessions::at(postgres.url()).await?;
    let row = process::prove("PostgreSQL", &spec, Some(&sessions), rounds, seed, None).await?;
    println!("{row}");
    let restarts = (rounds / 10).max(2);
    let (row, outages) = database::prove(&mut postgres, restarts, seed).await?;
    println!("{row}\n\n{outages}\n");

    for flaw in nodes::flawed::Flaw::ALL {
        let found = found(flaw, &sqlite(&format!("{flaw:?}.db")), seed).await?;
        println!("- {}: {found}", flaw.name());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let proof = async {
        match Task::read()? {
            Some(task) => task.serve().await,
            None => prove().await,
        }
    };
    match proof.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}
