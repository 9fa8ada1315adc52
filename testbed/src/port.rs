//! Free ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::error::{Doing, StartError};

/// Below the range from which the system gives out ports by itself, so that nobody gets one of these
/// between the moment it is found free and the moment a server listens on it.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// An address of 127.0.0.1 on which nobody listens, and which the system gives to nobody by itself.
///
/// # Errors
/// If the machine has none, which is unlikely.
pub fn free() -> Result<SocketAddr, StartError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that start together begin at different places.
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let offset = since.subsec_micros() ^ std::process::id().wrapping_mul(2_654_435_761);
    let mut refused = std::io::ErrorKind::AddrNotAvailable.into();
    for _ in 0..200 {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = offset.wrapping_add(nth.wrapping_mul(37)) % COUNT;
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
    use std::net::TcpListener;

    use super::free;

    #[test]
    fn a_port_that_is_listened_on_is_not_given_out() {
        let taken: Vec<TcpListener> =
            (0..50).map(|_| TcpListener::bind(free().unwrap()).unwrap()).collect();
        assert_eq!(taken.len(), 50);
    }
}
