//! A scan of two classes: the part of one store, then the part of the other.

use super::Tiered;
use crate::class::Class;
use crate::error::StoreError;
use crate::key::Key;
use crate::scan::{Cursor, Direction, Page, Scan, ScanRange, Want};
use crate::store::Store;
use crate::tenant::TenantId;

/// A scan of one class.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) class: Class,
    pub(super) scan: Scan,
}

/// Which stores a scan concerns.
#[derive(Debug)]
pub(super) enum Parts {
    None,
    One(Part),
    /// First the first, from the scan's cursor on if it has one, then the second, from its beginning.
    Two(Part, Part),
}

/// The cursor that stands after every key of the first class, whichever that is.
fn boundary(direction: Direction) -> Option<Cursor> {
    let bytes: &[u8] = match direction {
        // A part begins with a smaller byte.
        Direction::Ascending => &[Class::Main.tag(), 0xFF],
        Direction::Descending => &[Class::Side.tag()],
    };
    Some(Cursor { bytes: Box::default(), key: Key::from_bytes(bytes).ok()? })
}

/// Splits a scan.
pub(super) fn of(scan: &Scan) -> Parts {
    let part = |class| {
        let range = match &scan.range {
            ScanRange::Keys(range) => ScanRange::Keys(range.within(class)?),
            // The name of an index does not tell the class of its records.
            index @ ScanRange::Index { .. } => index.clone(),
        };
        Some(Part { class, scan: Scan { range, ..scan.clone() } })
    };
    let (first, second) = match scan.direction {
        Direction::Ascending => (part(Class::Main), part(Class::Side)),
        Direction::Descending => (part(Class::Side), part(Class::Main)),
    };
    match (first, second) {
        (None, None) => Parts::None,
        (Some(one), None) | (None, Some(one)) => Parts::One(one),
        (Some(first), Some(mut second)) => match &scan.after {
            Some(after) if scan.after == boundary(scan.direction) => {
                debug_assert_eq!(after.key.class(), first.class);
                second.scan.after = None;
                Parts::One(second)
            }
            Some(after) if after.key.class() == second.class => Parts::One(second),
            _ => {
                second.scan.after = None;
                Parts::Two(first, second)
            }
        },
    }
}

impl<M: Store + ?Sized, S: Store + ?Sized> Tiered<M, S> {
    /// A page of a scan that has not come to its second part yet: all of its entries from one store.
    pub(super) async fn scan_two(
        &self,
        tenant: TenantId,
        first: Part,
        second: Part,
    ) -> Result<Page, StoreError> {
        let skip = first.scan.skip;
        if let Want::Count { cap } = first.scan.want {
            let most = skip.saturating_add(cap);
            let before = self.count(tenant, &first, most).await?;
            let count = before.saturating_sub(skip);
            if count >= cap {
                return Ok(Page { count: cap, ..Page::default() });
            }
            let rest = Scan {
                skip: skip.saturating_sub(before),
                want: Want::Count { cap: cap - count },
                ..second.scan
            };
            let page = self.page_of(second.class, tenant, rest).await?;
            return Ok(Page { count: count + page.count, ..Page::default() });
        }
        if skip > 0 {
            let before = self.count(tenant, &first, skip).await?;
            if before < skip {
                let rest = Scan { skip: skip - before, ..second.scan };
                return self.page_of(second.class, tenant, rest).await;
            }
        }
        let direction = first.scan.direction;
        let mut page = self.page_of(first.class, tenant, first.scan).await?;
        if page.next.is_none() {
            let one = Scan { limit: 1, skip: 0, want: Want::Count { cap: 1 }, ..second.scan };
            if self.page_of(second.class, tenant, one).await?.count > 0 {
                page.next = boundary(direction);
            }
        }
        Ok(page)
    }

    /// How many entries a part has from its cursor on.
    async fn count(&self, tenant: TenantId, part: &Part, cap: u32) -> Result<u32, StoreError> {
        let scan = Scan { skip: 0, want: Want::Count { cap }, ..part.scan.clone() };
        Ok(self.page_of(part.class, tenant, scan).await?.count)
    }
}
