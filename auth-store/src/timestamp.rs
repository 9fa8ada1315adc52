//! [`Timestamp`]: a point in time, given by the caller and never read by a store.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, from 0 to the end of the year 9999.
///
/// Arithmetic is checked or saturates inside those bounds, so that no date read from outside
/// can overflow. Serialised as the number of milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59.999Z, the last representable moment.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// A moment by its milliseconds since the epoch; `None` past the year 9999.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Option<Self> {
        if millis > Self::MAX.0 { None } else { Some(Self(millis)) }
    }

    /// A moment by its seconds since the epoch (a JWT `NumericDate`, RFC 7519 §2); `None` past the year 9999.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Option<Self> {
        match secs.checked_mul(1000) {
            Some(millis) => Self::from_millis(millis),
            None => None,
        }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down (a JWT `NumericDate`, RFC 7519 §2).
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The moment `duration` later, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis).min(Self::MAX.0))
    }

    /// The moment `duration` earlier, at least [`Timestamp::EPOCH`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl TryFrom<u64> for Timestamp {
    type Error = TimestampOutOfRange;

    fn try_from(millis: u64) -> Result<Self, Self::Error> {
        Self::from_millis(millis).ok_or(TimestampOutOfRange)
    }
}

impl From<Timestamp> for u64 {
    fn from(at: Timestamp) -> Self {
        at.0
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, as in `2026-11-22T08:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let at = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| fmt::Error)?;
        let (date, (h, m, s, ms)) = (at.date(), at.to_hms_milli());
        write!(f, "{date}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A moment after the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a timestamp lies between the years 1970 and 9999")]
#[non_exhaustive]
pub struct TimestampOutOfRange;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stays_inside_the_bounds() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.saturating_sub(Duration::MAX), Timestamp::EPOCH);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_secs(u64::MAX), None);
        assert_eq!(Timestamp::from_millis(Timestamp::MAX.as_millis() + 1), None);
    }

    #[test]
    fn it_is_shown_as_rfc_3339() {
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
    }
}
