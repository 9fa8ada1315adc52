//! Free ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::error::{Doing, StartError};

/// Below the range from which the system gives out ports by itself, so that nobody gets one of these
/// between the moment it is found free and the moment a server listens on it.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// Where this process begins: processes that start together begin at different places.
static OFFSET: LazyLock<u32> = LazyLock::new(|| {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.subsec_micros() ^ std::process::id().wrapping_mul(2_654_435_761)
});

/// An address of 127.0.0.1 on which nobody listens, which the system gives to nobody by itself, and which this
/// process was not given before: who asked earlier may be about to listen there.
///
/// # Errors
/// If the machine has none, which is unlikely.
pub fn free() -> Result<SocketAddr, StartError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut refused = std::io::ErrorKind::AddrNotAvailable.into();
    for _ in 0..200 {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = OFFSET.wrapping_add(nth.wrapping_mul(37)) % COUNT;
        let Ok(port) = u16::try_from(FIRST + place) else { continue };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(address) {
            Ok(_) => return Ok(address),
            Err(error) => refused = error,
        }
    }
    Err(refused).doing("looking for a free port of 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpListener;
    use std::sync::Barrier;

    use super::free;

    #[test]
    fn who_asks_at_the_same_time_gets_another_port() {
        let together = Barrier::new(8);
        let ports = std::thread::scope(|scope| {
            let ask = || {
                together.wait();
                (0..200).map(|_| free().unwrap().port()).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().flat_map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_given_out() {
        let taken: Vec<TcpListener> =
            (0..50).map(|_| TcpListener::bind(free().unwrap()).unwrap()).collect();
        assert_eq!(taken.len(), 50);
    }
}
