//! Shows that replicas on one database are one provider, also while they are killed.
//!
//! Three server processes, on axum, actix-web and axum, stand behind nginx, which hands requests to them in
//! turn and repeats none. Several clients sign in, redeem, refresh, introspect and revoke without a pause,
//! and keep a record of what was acknowledged; every three seconds one of the processes is killed by SIGKILL
//! and started again. First on PostgreSQL, then on PostgreSQL for what must last and Redis for the rest:
//!
//! - no acknowledged grant is lost, and no code is redeemed twice;
//! - what is acknowledged as revoked is refused right afterwards by every replica, which are asked directly;
//! - every request that failed overlapped the window of a kill: from the signal until the killed process
//!   answers at its port again, however late the client learns of the failure.
//!
//! A broken store must be found by the same means, or nothing is shown.
//!
//! ```text
//! prove_replicas [--rounds SECONDS] [--seed S]
//! ```

#[allow(dead_code, reason = "another proof uses more of it")]
mod nodes;
mod replicas;

use std::process::ExitCode;

use nodes::flawed::Flaw;
use nodes::process::NAME;
use nodes::serve::Task;
use nodes::sessions::Sessions;
use nodes::{Arguments, Failure};
use testbed::{Postgres, Redis};

async fn prove() -> Result<(), Failure> {
    let Arguments { rounds: seconds, seed } = Arguments::read(300)?;
    let postgres = tokio::task::block_in_place(Postgres::start)?;
    let redis = tokio::task::block_in_place(Redis::start)?;
    let sessions = Sessions::at(postgres.url()).await?;
    let parameters = format!("connections=6&application_name={NAME}");
    let spec = |schema: &str| format!("{}?schema={schema}&{parameters}", postgres.url());

    println!("{}", replicas::HEAD);
    let row = replicas::prove("PostgreSQL", &spec("alone"), &sessions, seconds, seed, None).await?;
    println!("{row}");
    let tiered = format!("tiered:{} {}#replicas", spec("tiered"), redis.url());
    let row =
        replicas::prove("PostgreSQL and Redis", &tiered, &sessions, seconds, seed, None).await?;
    println!("{row}\n");

    let flaw = Flaw::Careless;
    match replicas::prove("PostgreSQL", &spec("broken"), &sessions, 30, seed, Some(flaw)).await {
        Ok(_) => Err(format!("{} was not found", flaw.name()).into()),
        Err(cause) => match cause.to_string().split_once("violation: ") {
            Some((_, what)) => {
                let what = what.lines().next().unwrap_or_default();
                println!("- {}: found: {what}", flaw.name());
                Ok(())
            }
            None => Err(cause),
        },
    }
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
