//! [`Progress`]: what a person sees meanwhile.

use std::time::{Duration, Instant};

use auth_store::Place;

/// Is told after each page how far it went. Any `FnMut(&Moved)` will do.
pub trait Progress {
    /// So much was moved by now.
    fn moved(&mut self, moved: &Moved<'_>);
}

impl<F: FnMut(&Moved<'_>)> Progress for F {
    fn moved(&mut self, moved: &Moved<'_>) {
        self(moved);
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to know of it")]
pub struct Quiet;

impl Progress for Quiet {
    fn moved(&mut self, _: &Moved<'_>) {}
}

/// How far it went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Moved<'a> {
    /// Records by now, those of an earlier attempt included.
    pub records: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// The last record.
    pub place: &'a Place,
    /// Records of this attempt.
    pub now: u64,
    /// Time of this attempt.
    pub elapsed: Duration,
}

impl Moved<'_> {
    /// Records a second in this attempt.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.now as f64 / seconds } else { 0.0 }
    }
}

/// Measures one attempt.
pub(super) struct Pace<P> {
    progress: P,
    began: Instant,
    earlier: u64,
}

impl<P: Progress> Pace<P> {
    /// An attempt that begins after `earlier` records.
    pub(super) fn new(progress: P, earlier: u64) -> Self {
        Self { progress, began: Instant::now(), earlier }
    }

    pub(super) fn tell(&mut self, records: u64, bytes: u64, place: &Place) {
        let (now, elapsed) = (records.saturating_sub(self.earlier), self.began.elapsed());
        self.progress.moved(&Moved { records, bytes, place, now, elapsed });
    }
}
