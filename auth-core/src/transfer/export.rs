//! [`export`]: a database as lines.

use std::io::{self, BufRead, Write};

use auth_store::{Archive, Place, Timestamp};

use super::digest::Tally;
use super::import::Lines;
use super::progress::{Pace, Progress};
use super::{PAGE, Sha256, TransferError, line};

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// How many records, those of an earlier attempt included.
    pub records: u64,
    /// The bytes of their lines.
    pub bytes: u64,
    /// The digest of their lines.
    pub sha256: Sha256,
}

impl Exported {
    pub(super) fn of(tally: &Tally) -> Self {
        Self { records: tally.records, bytes: tally.bytes, sha256: tally.sha256() }
    }
}

/// Writes the whole database. `to` is written to in small pieces: give it a buffer. Writing blocks as
/// the writer does.
///
/// # Errors
/// [`TransferError`]. What was written by then can be resumed.
pub async fn export(
    from: &dyn Archive,
    mut to: impl Write,
    exported_at: Timestamp,
    progress: impl Progress,
) -> Result<Exported, TransferError> {
    let header = line::header(exported_at);
    to.write_all(header.as_bytes()).map_err(|source| TransferError::Io { line: 1, source })?;
    write(from, to, Tally::new(), None, progress).await
}

/// Goes on after the last whole line of an export that did not end. `to` must stand at
/// [`Partial::whole`], with nothing behind it.
///
/// # Errors
/// [`TransferError`], as [`export`]; [`TransferError::Finished`] if nothing is missing.
pub async fn resume(
    partial: Partial,
    from: &dyn Archive,
    to: impl Write,
    progress: impl Progress,
) -> Result<Exported, TransferError> {
    if partial.finished {
        return Err(TransferError::Finished { records: partial.tally.records });
    }
    write(from, to, partial.tally, partial.place, progress).await
}

async fn write(
    from: &dyn Archive,
    mut to: impl Write,
    mut tally: Tally,
    mut after: Option<Place>,
    progress: impl Progress,
) -> Result<Exported, TransferError> {
    let mut pace = Pace::new(progress, tally.records);
    loop {
        let page = from.archived(after.as_ref(), PAGE).await.map_err(TransferError::Read)?;
        let Some(last) = page.last() else { break };
        for archived in &page {
            let line = line::record(archived);
            to.write_all(line.as_bytes()).map_err(at(&tally))?;
            tally.add(line.as_bytes());
        }
        let last = last.place();
        pace.tell(tally.records, tally.bytes, &last);
        after = Some(last);
    }
    let trailer = line::trailer(tally.records, tally.sha256());
    to.write_all(trailer.as_bytes()).map_err(at(&tally))?;
    to.flush().map_err(at(&tally))?;
    Ok(Exported::of(&tally))
}

/// The line that is being written; the first is the header.
fn at(tally: &Tally) -> impl FnOnce(io::Error) -> TransferError {
    let line = tally.records + 2;
    move |source| TransferError::Io { line, source }
}

/// An export that did not end, as far as it came.
#[derive(Debug)]
pub struct Partial {
    whole: u64,
    tally: Tally,
    place: Option<Place>,
    finished: bool,
}

impl Partial {
    /// Reads what was written. A last line that is not whole is left off; `None` is no export at all,
    /// not even a whole header.
    ///
    /// # Errors
    /// [`TransferError`] if this is not the beginning of an export.
    pub fn read(from: impl BufRead) -> Result<Option<Self>, TransferError> {
        let mut lines = Lines::new(from);
        let Some(header) = lines.next_whole()? else {
            // What is neither empty nor the beginning of a header is somebody else's file.
            return if line::begins_header(lines.rest()) {
                Ok(None)
            } else {
                Err(TransferError::NotAnArchive)
            };
        };
        line::check_header(header)?;
        let mut partial =
            Self { whole: header.len() as u64, tally: Tally::new(), place: None, finished: false };
        let mut last = Vec::new();
        while let Some(line) = lines.next_whole()? {
            if line::is_trailer(line) {
                partial.finished = true;
                break;
            }
            partial.tally.add(line);
            partial.whole += line.len() as u64;
            last.clear();
            last.extend_from_slice(line);
        }
        if !last.is_empty() {
            let line = partial.tally.records + 1;
            let record =
                line::read_record(&last).map_err(|what| TransferError::Line { line, what })?;
            partial.place = Some(record.place());
        }
        Ok(Some(partial))
    }

    /// How many bytes of the file are whole lines, from where the export goes on.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// How many records it holds.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.tally.records
    }

    /// Whether it ended after all: there is a trailer.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }
}
