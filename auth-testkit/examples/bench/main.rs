//! What an operation costs this provider, a peer, and a bare handler.
//!
//! Ours is a provider on the store in memory, mounted on axum with one worker thread; the peer is
//! oidc-provider on Node.js 22 with a store in memory (interop/peer), with the same keys. The floor is a
//! bare axum handler that makes the same statements on a map and the same signatures, hashes and seals as
//! the values that travel need, and gives the same answers. All three are called over HTTP/1.1 by the same
//! callers, by turns, in one run. CPU time is that of all threads of the server; of several batches the
//! median counts. Nobody hashes a password: every one is right.
//!
//! The quickstart and the peer are then started as programs of their own: how fast, and how large they get.
//!
//! ```text
//! AUTH_BENCH_PEER=…/node AUTH_BENCH_QUICKSTART=…/quickstart AUTH_BENCH_QUICKSTART_BUILD=SECONDS \
//!     bench [--json] [OPERATION…]
//! AUTH_BENCH_PEER=…/node perf record -g bench --profile OPERATION
//! ```
//!
//! With `--profile` ours alone is called, for ten seconds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod caller;
mod footprint;
mod keys;
mod operation;
mod ours;
mod peer;
mod report;
#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "proofs use more of it")]
mod scene;
#[path = "../served/mod.rs"]
mod served;
mod table;

use std::time::{Duration, Instant};

use mimalloc::MiMalloc;

use caller::Caller;
use keys::Keys;
use operation::Operation;
use ours::Ours;
use peer::Peer;
use report::{Report, Row};
use scene::Failure;
use served::callers::{Callers, encode};
use served::cpu::{median, one_worker, time};
use served::floor::Floor;

/// The one that docs/operations/replicas.md recommends.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Callers at once, who keep a server busy.
const CALLERS: usize = 16;
/// Batches of each server, by turns.
const TURNS: usize = 11;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let chosen: Vec<Operation> =
        Operation::ALL.into_iter().filter(|it| arguments.contains(&it.word().to_owned())).collect();
    let chosen = if chosen.is_empty() { Operation::ALL.to_vec() } else { chosen };

    let keys = Keys::make()?;
    let runtime = one_worker()?;
    let ours = Ours::start(&runtime, &keys)?;
    if arguments.iter().any(|argument| argument == "--profile") {
        return profile(&ours, &chosen);
    }
    let peer = Peer::start(&keys)?;
    let mut at_ours = ours.site.callers(CALLERS)?;
    let mut at_peer = peer.site.callers(CALLERS)?;
    let mut rows = Vec::new();
    for operation in chosen {
        let plan = runtime.block_on(ours.plan(operation))?;
        let floor = Floor::new(plan, &table::Table::driver());
        let bare = served::cpu::serve(&runtime, floor.router())?;
        let steps: Vec<_> = floor.requests().iter().map(encode).collect();
        let statements = floor.statements();
        let mut to_floor = Callers::connect(bare, CALLERS)?;
        let calls = operation.calls();
        let mut batches = Vec::new();
        // What is compiled while it runs is compiled before it is measured.
        call(operation, &mut at_peer, calls * 8)?;
        call(operation, &mut at_ours, calls)?;
        for _ in 0..TURNS {
            let of_ours = time(|| call(operation, &mut at_ours, calls))?;
            let of_floor = time(|| {
                for _ in 0..calls / to_floor.count() {
                    for step in &steps {
                        to_floor.exchange(&vec![step.clone(); CALLERS])?;
                    }
                }
                Ok(())
            })?;
            let of_peer = peer.time(|| call(operation, &mut at_peer, calls))?;
            batches.push([of_ours, of_floor, of_peer]);
        }
        let [ours, floor, peer] = [0, 1, 2].map(|which| {
            let micros = |batch: &[Duration; 3]| batch[which].as_secs_f64() * 1e6 / calls as f64;
            median(batches.iter().map(micros))
        });
        let row = Row { operation, statements, ours, floor, peer };
        eprintln!("{row}");
        rows.push(row);
    }
    let footprints = footprint::both(&keys)?;
    let report = Report { peer: peer::version()?, rows, footprints };
    match as_json {
        true => println!("{}", report.json()),
        false => println!("{report}"),
    }
    Ok(())
}

/// Keeps ours busy for whoever watches.
fn profile(ours: &Ours, operations: &[Operation]) -> Result<(), Failure> {
    let mut callers = ours.site.callers(CALLERS)?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        for operation in operations {
            call(*operation, &mut callers, operation.calls())?;
        }
    }
    Ok(())
}

/// Does an operation so often, as many at once as there are callers.
fn call(operation: Operation, callers: &mut [Caller], calls: usize) -> Result<(), Failure> {
    for _ in 0..calls / callers.len() {
        let mut requests: Vec<_> = callers.iter_mut().map(|it| it.begin(operation)).collect();
        while requests.iter().all(Option::is_some) {
            for (caller, request) in callers.iter_mut().zip(&requests) {
                caller.send(operation, request.as_ref().unwrap())?;
            }
            // As in `Callers::receive`.
            requests = callers
                .iter_mut()
                .rev()
                .map(|caller| caller.receive(operation))
                .collect::<Result<_, _>>()?;
            requests.reverse();
        }
    }
    Ok(())
}
