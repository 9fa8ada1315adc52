//! [`Cluster`]: several masters, each with a part of the slots.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::{Cmd, ServerErrorKind, Value};

use crate::address::{Address, Place};
use crate::connect::Connecting;
use crate::failure::{ConnectError, Failure};
use crate::link::Link;
use crate::slot::{SLOTS, slot};

/// How long to wait before a command that may succeed soon is sent again.
const PAUSE: Duration = Duration::from_millis(25);
/// How many redirections are followed.
const REDIRECTIONS: u32 = 16;

/// The masters of a cluster, and who has which slots as far as we know.
///
/// What a node answers instead of executing a command (`MOVED`, `ASK`, `TRYAGAIN`, `CLUSTERDOWN`) is
/// followed, for a commit too: nothing was applied then. A connection that is lost is the caller's to judge.
pub(crate) struct Cluster {
    seeds: Vec<Address>,
    connecting: Connecting,
    map: RwLock<Arc<SlotMap>>,
    links: Mutex<HashMap<Place, Arc<Link>>>,
    refreshing: tokio::sync::Mutex<()>,
}

/// Who has which slots.
#[derive(Debug, Default)]
struct SlotMap {
    /// Counts the maps, so that of many who find one outdated only one asks for another.
    number: u64,
    ranges: Vec<SlotRange>,
}

#[derive(Debug, PartialEq, Eq)]
struct SlotRange {
    first: u16,
    last: u16,
    master: Place,
}

impl SlotMap {
    fn owner(&self, slot: u16) -> Option<&Place> {
        let range = self.ranges.iter().find(|range| (range.first..=range.last).contains(&slot));
        range.map(|range| &range.master)
    }
}

/// Where a command goes next.
enum Next {
    Owner,
    Moved(Place),
    Ask(Place),
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Address>, connecting: Connecting) -> Self {
        Self {
            seeds,
            connecting,
            map: RwLock::default(),
            links: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
        }
    }

    /// Sends a command to the master that has the slot of `route`.
    pub(crate) async fn send(&self, route: &[u8], command: &Cmd) -> Result<Value, Failure> {
        let slot = slot(route);
        let begun = Instant::now();
        let mut next = Next::Owner;
        let mut redirections = 0;
        loop {
            let map = self.map();
            let (link, asking) = match &next {
                Next::Owner => (map.owner(slot).map(|place| self.link(place)), false),
                Next::Moved(place) => (Some(self.link(place)), false),
                Next::Ask(place) => (Some(self.link(place)), true),
            };
            let answer = match &link {
                Some(link) if asking => link.send_asking(command).await,
                Some(link) => link.send(command).await,
                None => Err(Failure::NotSent(Arc::new(ConnectError::NoOwner))),
            };
            let Err(failure) = answer else { return answer };
            let late = begun.elapsed() >= self.connecting.response_timeout;
            redirections += 1;
            if late || redirections > REDIRECTIONS {
                return Err(failure);
            }
            next = match (&failure, failure.answer()) {
                (Failure::NotSent(_), _) => {
                    // A replica may have taken over; if nobody has, there is nothing to wait for.
                    self.refresh(map.number).await.map_err(|_| failure.clone())?;
                    let heir = self.map().owner(slot).cloned();
                    if heir.is_none() || heir.as_ref() == map.owner(slot) {
                        return Err(failure);
                    }
                    Next::Owner
                }
                (Failure::Refused(error), Some(ServerErrorKind::Moved | ServerErrorKind::Ask)) => {
                    let asked = link.as_deref().map(Link::address);
                    let place = error.redirect_node().and_then(|(node, _)| place(node, asked));
                    let moved = failure.answer() == Some(ServerErrorKind::Moved);
                    match place {
                        Some(place) if moved => {
                            // What is followed here is known already; the rest of the map may wait.
                            let _ = self.refresh(map.number).await;
                            Next::Moved(place)
                        }
                        Some(place) => Next::Ask(place),
                        None => return Err(failure),
                    }
                }
                (
                    _,
                    Some(
                        ServerErrorKind::TryAgain
                        | ServerErrorKind::ClusterDown
                        | ServerErrorKind::ReadOnly,
                    ),
                ) => {
                    tokio::time::sleep(PAUSE * redirections).await;
                    let _ = self.refresh(map.number).await;
                    Next::Owner
                }
                _ => return Err(failure),
            };
        }
    }

    /// Asks the nodes for the map, unless somebody has done so since number `seen`.
    pub(crate) async fn refresh(&self, seen: u64) -> Result<(), Failure> {
        let _one = self.refreshing.lock().await;
        let map = self.map();
        if map.number != seen {
            return Ok(());
        }
        let mut nodes = self.masters();
        nodes.extend(self.seeds.iter().map(|seed| self.link(&seed.place)));
        let mut last = Failure::NotSent(Arc::new(ConnectError::NoOwner));
        for node in nodes {
            match node.send(redis::cmd("CLUSTER").arg("SLOTS")).await {
                Ok(answer) => {
                    let ranges = ranges(answer, node.address());
                    if ranges.is_empty() {
                        continue;
                    }
                    let map = Arc::new(SlotMap { number: seen + 1, ranges });
                    *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
                    self.forget_the_gone();
                    return Ok(());
                }
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// A link to each master of the map.
    pub(crate) fn masters(&self) -> Vec<Arc<Link>> {
        let map = self.map();
        let mut places: Vec<&Place> = Vec::new();
        for range in &map.ranges {
            if !places.contains(&&range.master) {
                places.push(&range.master);
            }
        }
        places.into_iter().map(|place| self.link(place)).collect()
    }

    /// How many slots nobody has.
    pub(crate) fn missing(&self) -> u16 {
        let map = self.map();
        let held: u16 = map.ranges.iter().map(|range| range.last - range.first + 1).sum();
        SLOTS.saturating_sub(held)
    }

    fn map(&self) -> Arc<SlotMap> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn link(&self, place: &Place) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(place) {
            return link.clone();
        }
        // There is a seed, or there would be no cluster; each knows the same user.
        let known = self.seeds.iter().find(|seed| seed.place == *place);
        let address = match (place, known, self.seeds.first()) {
            (_, Some(seed), _) => seed.clone(),
            (Place::Tcp { host, port }, None, Some(seed)) => seed.of_node(host, *port),
            _ => Address {
                place: place.clone(),
                tls: false,
                username: None,
                password: None,
                database: 0,
            },
        };
        let link = Arc::new(Link::new(address, self.connecting.clone()));
        links.insert(place.clone(), link.clone());
        link
    }

    /// Closes the connections to nodes that left.
    fn forget_the_gone(&self) {
        let map = self.map();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|place, _| {
            map.ranges.iter().any(|range| range.master == *place)
                || self.seeds.iter().any(|seed| seed.place == *place)
        });
    }
}

/// `host:port` as a redirection tells it; without a host it is the one that was asked.
fn place(node: &str, asked: Option<&Address>) -> Option<Place> {
    let (host, port) = node.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match (host, asked.map(|address| &address.place)) {
        ("" | "?", Some(Place::Tcp { host, .. })) => Some(Place::Tcp { host: host.clone(), port }),
        ("" | "?", _) => None,
        (host, _) => Some(Place::Tcp { host: host.to_owned(), port }),
    }
}

/// Reads the answer to `CLUSTER SLOTS`: for each range the first slot, the last, the master, and replicas.
fn ranges(answer: Value, asked: &Address) -> Vec<SlotRange> {
    let Value::Array(rows) = answer else { return Vec::new() };
    let row = |row: &Value| {
        let Value::Array(row) = row else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &row[..] else {
            return None;
        };
        let [host, Value::Int(port), ..] = &master[..] else { return None };
        let host = match host {
            Value::BulkString(host) => String::from_utf8_lossy(host).into_owned(),
            Value::Nil => String::new(),
            _ => return None,
        };
        let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        let master = place(&format!("{host}:{port}"), Some(asked))?;
        (first <= last && last < SLOTS).then_some(SlotRange { first, last, master })
    };
    rows.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Address {
        Address::parse("redis://seed.example:7000").unwrap()
    }

    #[test]
    fn a_map_of_slots_is_read() {
        let text = |text: &str| Value::BulkString(text.into());
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let rows = Value::Array(vec![
            Value::Array(vec![Value::Int(0), Value::Int(99), node(text("10.0.0.1"), 7001)]),
            Value::Array(vec![
                Value::Int(100),
                Value::Int(16_383),
                node(Value::Nil, 7002),
                node(text("10.0.0.9"), 7009),
            ]),
            Value::Array(vec![Value::Int(5), Value::Int(70_000), node(text("x"), 1)]),
        ]);
        let map = SlotMap { number: 1, ranges: ranges(rows, &asked()) };
        assert_eq!(map.ranges.len(), 2);
        let tcp = |host: &str, port| Place::Tcp { host: host.into(), port };
        assert_eq!(map.owner(99), Some(&tcp("10.0.0.1", 7001)));
        assert_eq!(map.owner(16_383), Some(&tcp("seed.example", 7002)));
        assert_eq!(ranges(Value::Nil, &asked()), Vec::new());
    }

    #[test]
    fn a_redirection_without_a_host_stays_with_it() {
        let tcp = |host: &str, port| Some(Place::Tcp { host: host.into(), port });
        assert_eq!(place("10.0.0.1:7001", Some(&asked())), tcp("10.0.0.1", 7001));
        assert_eq!(place("[::1]:7001", Some(&asked())), tcp("::1", 7001));
        assert_eq!(place("::1:7001", Some(&asked())), tcp("::1", 7001));
        assert_eq!(place(":7001", Some(&asked())), tcp("seed.example", 7001));
        assert_eq!(place("nothing", Some(&asked())), None);
    }
}
