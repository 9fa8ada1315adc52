//! [`RedisCluster`]: three masters that share the slots.

use std::time::{Duration, Instant};

use crate::error::StartError;
use crate::port;
use crate::redis::Redis;

/// A Redis Cluster of three masters without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    masters: Vec<Redis>,
}

const SLOTS: [(u32, u32); 3] = [(0, 5460), (5461, 10_922), (10_923, 16_383)];
const LIMIT: Duration = Duration::from_secs(30);

impl RedisCluster {
    /// Starts one, each master as durable as a [`Redis`].
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start() -> Result<Self, StartError> {
        let started = SLOTS.iter().map(|_| master()).collect::<Result<Vec<_>, _>>()?;
        let (masters, buses): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        for (nth, (master, (first, last))) in masters.iter().zip(SLOTS).enumerate() {
            master.command(&format!("CLUSTER SET-CONFIG-EPOCH {}", nth + 1))?;
            master.command(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))?;
        }
        let cluster = Self { masters };
        cluster.meet(&buses)?;
        Ok(cluster)
    }

    /// The masters.
    #[must_use]
    pub fn masters(&self) -> &[Redis] {
        &self.masters
    }

    /// One of the masters, to be stopped or killed.
    pub fn master_mut(&mut self, nth: usize) -> Option<&mut Redis> {
        self.masters.get_mut(nth)
    }

    /// The URLs of the masters.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.masters.iter().map(|master| master.url().to_owned()).collect()
    }

    /// The same in one text, with commas between them.
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().join(",")
    }

    /// Makes the masters known to each other and waits until each of them knows all of the slots.
    fn meet(&self, buses: &[u16]) -> Result<(), StartError> {
        for (other, bus) in self.masters.iter().zip(buses).skip(1) {
            let (ip, port) = (other.address().ip(), other.address().port());
            self.masters[0].command(&format!("CLUSTER MEET {ip} {port} {bus}"))?;
        }
        let begun = Instant::now();
        loop {
            let states = self
                .masters
                .iter()
                .map(|master| master.command("CLUSTER INFO"))
                .collect::<Result<Vec<_>, _>>()?;
            if states.iter().all(|state| is_whole(state)) {
                return Ok(());
            }
            if begun.elapsed() > LIMIT {
                return Err(StartError::Failed {
                    doing: "making a cluster of three masters".to_owned(),
                    output: states.join("\n"),
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A server that waits for its slots, and the port on which it speaks with the others. Left alone Redis takes
/// a port that is 10,000 higher, which may be anybody's.
fn master() -> Result<(Redis, u16), StartError> {
    let bus = port::free()?.port();
    let master = Redis::setup()
        .setting("cluster-enabled", "yes")
        .setting("cluster-port", &bus.to_string())
        .setting("cluster-node-timeout", "5000")
        .start()?;
    Ok((master, bus))
}

fn is_whole(state: &str) -> bool {
    ["cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384"]
        .iter()
        .all(|part| state.contains(part))
}
