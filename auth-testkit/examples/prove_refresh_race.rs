//! Shows that a refresh token has one successor, however many use it at the same moment.
//!
//! In each round 32 uses of one refresh token race, inside of its grace window: all get the same
//! successor, and the family lives on. Once the window is over, another use of the old token is theft:
//! it kills the family with every token in it.
//!
//! ```text
//! prove_refresh_race [--rounds N] [--seed S]
//! ```

mod race;

use std::process::ExitCode;
use std::time::Duration;

use race::{Arguments, Failure, RACERS, Scene, Tally, must, on_each_store, refresh};

/// The window is 10 seconds.
const AFTER_GRACE: Duration = Duration::from_secs(11);

async fn round(scene: &Scene, tally: &mut Tally) -> Result<(), Failure> {
    let first = scene.redeem(&scene.code().await?).await?.tokens().ok_or("a redemption failed")?;
    let answers = scene.race(&refresh(&first.refresh)).await?;
    let raced = tally.count(&answers);
    must(raced.len() == RACERS, "every refresh inside of the window succeeds")?;
    let successor = raced[0].refresh.clone();
    must(successor != first.refresh, "the successor is another token")?;
    must(raced.iter().all(|tokens| tokens.refresh == successor), "there is one successor")?;
    must(scene.is_active(&raced[RACERS - 1].access).await?, "the family lives")?;
    let newest = scene.refresh(&successor).await?.tokens().ok_or("the successor is refused")?;
    must(scene.is_active(&newest.refresh).await?, "the successor has one of its own")?;

    scene.clock.advance(AFTER_GRACE);
    let again = scene.refresh(&first.refresh).await?;
    must(again.is_invalid_grant(), "the old token is refused after the window")?;
    let after = scene.refresh(&newest.refresh).await?;
    must(after.is_invalid_grant(), "its reuse kills the newest refresh token")?;
    for token in raced.iter().chain([&newest]) {
        must(!scene.is_active(&token.access).await?, "its reuse kills every access token")?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let proof = async { on_each_store(Arguments::read()?, round).await };
    match proof.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}
