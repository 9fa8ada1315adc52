//! PostgreSQL is shut down or killed, and our process is left alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::StatusCode;
use testbed::Postgres;

use super::Row;
use crate::nodes::load::Team;
use crate::nodes::process::{Node, address, becomes};
use crate::nodes::serve::{Adapter, Task};
use crate::nodes::tally::Tally;
use crate::nodes::{Failure, must, spread};

/// How long the server may take to redeem a code again once PostgreSQL takes connections.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stops PostgreSQL that often, the first time and every other by killing it. Gives a row, and a line on
/// the outages.
pub(crate) async fn prove(
    postgres: &mut Postgres,
    stops: u64,
    seed: u64,
) -> Result<(Row, String), Failure> {
    let begun = Instant::now();
    let address = address()?;
    let spec = format!("{}?schema=left_alone&connections=8", postgres.url());
    let issuer = format!("http://{address}");
    let mut node = Node::start(Task { spec, issuer, address, adapter: Adapter::Axum, flaw: None })?;
    let base = node.base();
    becomes(&base, StatusCode::OK).await?;
    let tally = Arc::new(Tally::default());
    let mut team = Team::sign_in(&base, &[], &tally, seed).await?;
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut noticed, mut ready, mut redeemed) = (Vec::new(), Vec::new(), Vec::new());
    let mut open = 0;
    for stop in 1..=stops {
        let failed = |cause| format!("stop {stop} of PostgreSQL: {cause}");
        let load = team.start();
        tokio::time::sleep(Duration::from_millis(random.u64(200..600))).await;
        let unavailable = tally.unavailable.get();
        tokio::task::block_in_place(|| match stop % 2 {
            1 => postgres.kill(),
            _ => postgres.stop(),
        })?;
        let away = Instant::now();
        tally.database_is_away.store(true, Ordering::SeqCst);
        becomes(&base, StatusCode::SERVICE_UNAVAILABLE).await.map_err(failed)?;
        noticed.push(away.elapsed());
        tokio::time::sleep(Duration::from_millis(random.u64(100..400))).await;
        tally.database_is_away.store(false, Ordering::SeqCst);
        must(tally.unavailable.get() > unavailable, "requests are answered 503 in the outage")?;
        open += tally.unavailable.get() - unavailable;
        tokio::task::block_in_place(|| postgres.start_again())?;
        let back = Instant::now();
        let redemptions = tally.redemptions.get();
        becomes(&base, StatusCode::OK).await.map_err(failed)?;
        ready.push(back.elapsed());
        while tally.redemptions.get() == redemptions {
            must(back.elapsed() < PATIENCE, "codes are redeemed again without a restart")?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        redeemed.push(back.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
        team = load.stop().await.map_err(failed)?;
        must(node.is_running()?, "our process runs all the time")?;
        team = team.audit(stop == stops).await.map_err(failed)?;
        let lost = tally.take_lost();
        must(lost.is_empty(), "our process answers every request, in an outage as well")?;
    }
    let (noticed, noticed_longest) = spread(&mut noticed);
    let (served, served_longest) = spread(&mut redeemed);
    let outages = format!(
        "PostgreSQL was killed and shut down by turns. Every answer in an outage was a 503 with \
         Retry-After ({open}), and readiness turned 503 after {noticed:.0} ms (at most \
         {noticed_longest:.0} ms). Recovery of our process counts from the moment at which PostgreSQL took \
         connections until readiness was 200; a code was redeemed after {served:.0} ms (at most \
         {served_longest:.0} ms). Recovery of a killed process counts from the kill until readiness was 200 \
         again."
    );
    let row = Row {
        killed: "PostgreSQL",
        store: "PostgreSQL".to_owned(),
        kills: stops,
        in_flight: None,
        recovery: ready,
        tally,
        begun,
    };
    Ok((row, outages))
}
