//! Three replicas behind nginx, one of which is killed every three seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use testbed::Nginx;

use crate::nodes::flawed::Flaw;
use crate::nodes::load::Team;
use crate::nodes::process::{Node, address, becomes};
use crate::nodes::serve::{Adapter, Task};
use crate::nodes::sessions::Sessions;
use crate::nodes::tally::{Lost, Tally};
use crate::nodes::{Failure, must, spread};

pub(crate) const HEAD: &str = "\
| store | seconds | kills | requests | codes | redeemed | raced | refreshed | revoked \
| replicas asked after a revocation | failed, by nginx | failed, directly | failed outside of a window \
| grants checked | lost | redeemed twice | away p50, ms | max, ms |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

const EVERY: Duration = Duration::from_secs(3);

/// From the kill until the port answers again.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    fn overlaps(&self, lost: &Lost) -> bool {
        lost.sent <= self.to && lost.ended >= self.from
    }
}

/// Kills replicas for that long, and gives a row of the table.
pub(crate) async fn prove(
    store: &str,
    spec: &str,
    sessions: &Sessions,
    seconds: u64,
    seed: u64,
    flaw: Option<Flaw>,
) -> Result<String, Failure> {
    let addresses = [address()?, address()?, address()?];
    let nginx = tokio::task::block_in_place(|| Nginx::start(&addresses))?;
    let mut nodes = Vec::new();
    for (address, adapter) in
        addresses.into_iter().zip([Adapter::Axum, Adapter::Actix, Adapter::Axum])
    {
        let (spec, issuer) = (spec.to_owned(), nginx.url().to_owned());
        let node = Node::start(Task { spec, issuer, address, adapter, flaw })?;
        // The first one makes the tables and the keys.
        becomes(&node.base(), StatusCode::OK).await?;
        nodes.push(node);
    }
    let bases: Vec<String> = nodes.iter().map(Node::base).collect();
    let tally = Arc::new(Tally::default());
    let team = Team::sign_in(nginx.url(), &bases, &tally, seed).await?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut windows: Vec<Window> = Vec::new();
    let (begun, load) = (Instant::now(), team.start());
    while begun.elapsed() < Duration::from_secs(seconds) && !load.has_failed() {
        tokio::time::sleep(EVERY).await;
        let node = &mut nodes[random.usize(..bases.len())];
        let name = node.name();
        tally.kills.add(1);
        let from = node.kill()?;
        sessions.ended(&name).await?;
        tally.buried.add(1);
        tokio::time::sleep(Duration::from_millis(random.u64(0..300))).await;
        node.start_again()?;
        becomes(&node.base(), StatusCode::OK).await?;
        windows.push(Window { from, to: Instant::now() });
    }
    let team = load.stop().await.map_err(|cause| format!("{store}: {cause}"))?;
    let took = begun.elapsed().as_secs();
    let lost = tally.take_lost();
    let outside = lost.iter().find(|lost| !windows.iter().any(|window| window.overlaps(lost)));
    if let Some(lost) = outside {
        let sent = lost.sent.duration_since(begun).as_secs_f64();
        let kills: Vec<f64> =
            windows.iter().map(|window| window.from.duration_since(begun).as_secs_f64()).collect();
        let saw = &lost.saw;
        return Err(
            format!("{store}: a request of {sent:.3} s failed: {saw}; kills: {kills:.3?}").into()
        );
    }
    team.audit(true).await.map_err(|cause| format!("{store}, at the end: {cause}"))?;
    must(tally.take_lost().is_empty(), "every request is answered when no replica is away")?;

    // nginx would tell an answer that a killed replica never gave by 502.
    let (by_nginx, directly): (Vec<_>, Vec<_>) =
        lost.iter().partition(|lost| lost.saw.starts_with("50"));
    must(!by_nginx.is_empty(), "clients noticed the kills")?;
    must(tally.asked_directly.get() > 0, "replicas were asked directly")?;
    let mut away: Vec<Duration> =
        windows.iter().map(|window| window.to.duration_since(window.from)).collect();
    let (median, longest) = spread(&mut away);
    let Tally { requests, codes, redemptions, races, refreshes, revocations, .. } = &*tally;
    let counts =
        [requests, codes, redemptions, races, refreshes, revocations, &tally.asked_directly];
    let counts: Vec<String> = counts.map(|count| count.get().to_string()).into();
    Ok(format!(
        "| {store} | {took} | {} | {} | {} | {} | 0 | {} | 0 | 0 | {median:.0} | {longest:.0} |",
        windows.len(),
        counts.join(" | "),
        by_nginx.len(),
        directly.len(),
        tally.checked.get(),
    ))
}
