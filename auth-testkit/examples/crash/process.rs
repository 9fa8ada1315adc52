//! Our process is killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::Row;
use crate::nodes::flawed::Flaw;
use crate::nodes::load::Team;
use crate::nodes::process::{Node, address, becomes};
use crate::nodes::serve::{Adapter, Task};
use crate::nodes::sessions::Sessions;
use crate::nodes::tally::Tally;
use crate::nodes::{Failure, must};

/// Kills a server on the database of `spec` that often.
pub(crate) async fn prove(
    store: &str,
    spec: &str,
    sessions: Option<&Sessions>,
    kills: u64,
    seed: u64,
    flaw: Option<Flaw>,
) -> Result<Row, Failure> {
    let begun = Instant::now();
    let address = address()?;
    let issuer = format!("http://{address}");
    let task = Task { spec: spec.to_owned(), issuer, address, adapter: Adapter::Axum, flaw };
    let mut node = Node::start(task)?;
    let base = node.base();
    becomes(&base, StatusCode::OK).await?;
    let tally = Arc::new(Tally::default());
    let mut team = Team::sign_in(&base, &[], &tally, seed).await?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut in_flight = 0;
    let mut row = Row {
        killed: "our process",
        store: store.to_owned(),
        kills,
        in_flight: None,
        recovery: Vec::new(),
        tally: tally.clone(),
        begun,
    };
    for kill in 1..=kills {
        let failed = |cause| format!("kill {kill} on {store}: {cause}");
        let load = team.start();
        tokio::time::sleep(Duration::from_millis(random.u64(100..400))).await;
        let name = node.name();
        tally.kills.add(1);
        let killed = node.kill()?;
        if let Some(sessions) = sessions {
            sessions.ended(&name).await?;
        }
        tally.buried.add(1);
        team = load.stop().await.map_err(failed)?;
        for lost in tally.take_lost() {
            if lost.ended < killed {
                let early = format!("a request was lost before it: {}", lost.saw);
                return Err(failed(early.into()).into());
            }
            in_flight += u64::from(lost.in_flight);
        }
        node.start_again()?;
        becomes(&base, StatusCode::OK).await?;
        row.recovery.push(killed.elapsed());
        team = team.audit(kill == kills).await.map_err(failed)?;
        let lost = tally.take_lost();
        must(lost.is_empty(), "every request is answered after it was started again")?;
    }
    // Between two requests a kill would show little.
    must(in_flight >= kills, "requests were under way at the kills")?;
    row.in_flight = Some(in_flight);
    Ok(row)
}
