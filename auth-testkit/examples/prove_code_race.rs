//! Shows that an authorization code is redeemed once, however many redeem it at the same moment.
//!
//! In each round 32 redemptions of one code race: exactly one succeeds and every other one is an
//! `invalid_grant`. A code that came twice is in the wrong hands, so afterwards the winner's tokens are
//! worth nothing either. The same goes for a code that one redeems and another replays after its expiry.
//!
//! ```text
//! prove_code_race [--rounds N] [--seed S]
//! ```

mod race;

use std::process::ExitCode;
use std::time::Duration;

use race::{Arguments, Failure, RACERS, Scene, Tally, must, on_each_store, redemption};

/// Codes live for a minute.
const AFTER_EXPIRY: Duration = Duration::from_secs(61);

async fn round(scene: &Scene, tally: &mut Tally) -> Result<(), Failure> {
    let code = scene.code().await?;
    let answers = scene.race(&redemption(&code)).await?;
    let winners = tally.count(&answers);
    must(winners.len() == 1, "one redemption succeeds")?;
    let refused = answers.iter().filter(|answer| answer.is_invalid_grant()).count();
    must(refused == RACERS - 1, "every other one is refused with invalid_grant")?;
    for winner in &winners {
        must(!scene.is_active(&winner.access).await?, "the winner's access token is dead")?;
        must(!scene.is_active(&winner.refresh).await?, "the winner's refresh token is dead")?;
        let refreshed = scene.refresh(&winner.refresh).await?;
        must(refreshed.is_invalid_grant(), "the winner's refresh token is refused")?;
    }

    // Without a race the same redemption is good, until the code comes again, however late.
    let code = scene.code().await?;
    let alone = scene.redeem(&code).await?.tokens().ok_or("a lone redemption failed")?;
    must(scene.is_active(&alone.access).await?, "the tokens of a lone redemption are good")?;
    scene.clock.advance(AFTER_EXPIRY);
    must(scene.is_active(&alone.access).await?, "they are good when the code has expired")?;
    must(scene.redeem(&code).await?.is_invalid_grant(), "a late replay is refused")?;
    must(!scene.is_active(&alone.access).await?, "a late replay kills the tokens")
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
