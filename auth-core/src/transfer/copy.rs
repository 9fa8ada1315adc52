//! [`copy`]: from one backend into another, without a file.

use auth_store::{Archive, Archived, StoreError};
use futures_util::future;

use super::landing::{Imported, Landing};
use super::progress::Progress;
use super::{PAGE, TransferError};

/// Copies every record that is not there yet. Repeating it is harmless, as it is of
/// [`import`](super::import).
///
/// # Errors
/// [`TransferError`]. What was written before stays.
pub async fn copy(
    from: &dyn Archive,
    into: &dyn Archive,
    progress: impl Progress,
) -> Result<Imported, TransferError> {
    let mut landing = Landing::new(into, progress);
    let (mut number, mut page) = (1, next(from, None).await.map_err(TransferError::Read)?);
    while let Some(last) = page.last() {
        let restored = landing.restore(&page, number, bytes(&page));
        let (restored, following) = future::join(restored, next(from, Some(last))).await;
        restored?;
        number += page.len() as u64;
        page = following.map_err(TransferError::Read)?;
    }
    Ok(landing.done())
}

async fn next(from: &dyn Archive, last: Option<&Archived>) -> Result<Vec<Archived>, StoreError> {
    from.archived(last.map(Archived::place).as_ref(), PAGE).await
}

fn bytes(page: &[Archived]) -> u64 {
    let len = |one: &Archived| (one.record.key.as_bytes().len() + one.record.value.len()) as u64;
    page.iter().map(len).sum()
}
