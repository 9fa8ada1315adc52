//! [`verify`]: whether two databases hold the same.

use std::cmp::Ordering;
use std::collections::VecDeque;

use auth_store::{Archive, Archived, Place};

use super::digest::Tally;
use super::export::Exported;
use super::progress::{Pace, Progress};
use super::{PAGE, TransferError, line};

/// How many differences are told by place.
const TOLD: usize = 100;

/// Compares two databases record by record, in their order. They should be at rest.
///
/// # Errors
/// [`TransferError::Read`], if one of them fails.
pub async fn verify(
    left: &dyn Archive,
    right: &dyn Archive,
    progress: impl Progress,
) -> Result<Comparison, TransferError> {
    let mut pace = Pace::new(progress, 0);
    let (mut left, mut right) = (Walk::new(left), Walk::new(right));
    let (mut differing, mut differences, mut seen) = (0, Vec::new(), 0_u64);
    loop {
        left.fill().await?;
        right.fill().await?;
        let order = match (left.first(), right.first()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.place().cmp(&right.place()),
        };
        let (one, other) = match order {
            Ordering::Less => (left.take(), None),
            Ordering::Greater => (None, right.take()),
            Ordering::Equal => (left.take(), right.take()),
        };
        let difference = match (&one, &other) {
            (Some((_, left)), Some((_, right))) if left == right => None,
            (Some((record, _)), Some(_)) => Some((record, Side::Both)),
            (Some((record, _)), None) => Some((record, Side::Left)),
            (None, Some((record, _))) => Some((record, Side::Right)),
            (None, None) => None,
        };
        if let Some((record, side)) = difference {
            differing += 1;
            if differences.len() < TOLD {
                differences.push(Difference { place: record.place(), side });
            }
        }
        seen += 1;
        if seen.is_multiple_of(u64::from(PAGE))
            && let Some((record, _)) = one.or(other)
        {
            pace.tell(seen, left.tally.bytes, &record.place());
        }
    }
    let (left, right) = (Exported::of(&left.tally), Exported::of(&right.tally));
    Ok(Comparison { left, right, differing, differences })
}

/// What two databases hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// The first: as many records and the digest that an export would have.
    pub left: Exported,
    /// The second.
    pub right: Exported,
    /// At how many places they differ.
    pub differing: u64,
    /// The first hundred of those.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Whether they hold the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differing == 0 && self.left == self.right
    }
}

/// Two databases differ at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Whose record, and which.
    pub place: Place,
    /// Which of the two has a record there.
    pub side: Side,
}

/// Which of two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are two, and a difference lies in one or in both"
)]
pub enum Side {
    /// The first alone.
    Left,
    /// The second alone.
    Right,
    /// Both, but not the same.
    Both,
}

/// Walks through a database page by page.
struct Walk<'a> {
    archive: &'a dyn Archive,
    page: VecDeque<Archived>,
    after: Option<Place>,
    ended: bool,
    tally: Tally,
}

impl<'a> Walk<'a> {
    fn new(archive: &'a dyn Archive) -> Self {
        Self { archive, page: VecDeque::new(), after: None, ended: false, tally: Tally::new() }
    }

    async fn fill(&mut self) -> Result<(), TransferError> {
        if !self.page.is_empty() || self.ended {
            return Ok(());
        }
        let page = self.archive.archived(self.after.as_ref(), PAGE).await;
        self.page = page.map_err(TransferError::Read)?.into();
        match self.page.back() {
            Some(last) => self.after = Some(last.place()),
            None => self.ended = true,
        }
        Ok(())
    }

    fn first(&self) -> Option<&Archived> {
        self.page.front()
    }

    /// The next record, with its line, which is the same for the same record.
    fn take(&mut self) -> Option<(Archived, String)> {
        let record = self.page.pop_front()?;
        let line = line::record(&record);
        self.tally.add(line.as_bytes());
        Some((record, line))
    }
}
