//! [`import`]: lines as a database.

use std::io::BufRead;

use auth_store::{Archive, Archived};
use futures_util::future;

use super::digest::Tally;
use super::export::Exported;
use super::landing::{Imported, Landing};
use super::progress::Progress;
use super::{PAGE, TransferError, line};

/// How many bytes of lines are held at once.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// Writes every record of an archive that is not there yet, those before the line `first` left out (a
/// whole archive begins with line 1, its header). Repeating an import is harmless: what stands under a key
/// is left alone, and told by [`Imported::conflicts`] if it is another record.
///
/// The archive is read to its end, and its trailer compared, whatever `first` is; but a file that was cut
/// is noticed at its end only. Call [`check`] before, or [`import_file`](super::import_file), which does.
/// Reading blocks as the reader does.
///
/// # Errors
/// [`TransferError`] names the line. What was written before stays.
pub async fn import(
    from: impl BufRead,
    into: &dyn Archive,
    first: u64,
    progress: impl Progress,
) -> Result<Imported, TransferError> {
    let mut reader = Reader::new(from)?;
    let mut landing = Landing::new(into, progress);
    let mut page = reader.page(first)?;
    while !page.records.is_empty() {
        // The store is asked first, so that it works while the next lines are read.
        let restored = landing.restore(&page.records, page.line, page.bytes);
        let (restored, next) = future::join(restored, async { reader.page(first) }).await;
        restored?;
        page = next?;
    }
    Ok(landing.done())
}

/// Reads an archive to its end without writing anything.
///
/// # Errors
/// [`TransferError`] tells what is wrong with it, by line.
pub fn check(from: impl BufRead) -> Result<Exported, TransferError> {
    let mut reader = Reader::new(from)?;
    while !reader.page(0)?.records.is_empty() {}
    Ok(Exported::of(&reader.tally))
}

/// Records that stand one after the other.
#[derive(Default)]
struct Page {
    records: Vec<Archived>,
    /// The line of the first of them.
    line: u64,
    /// The bytes of their lines.
    bytes: u64,
}

/// Reads records page by page, and compares the trailer at the end.
struct Reader<R> {
    lines: Lines<R>,
    tally: Tally,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    fn new(from: R) -> Result<Self, TransferError> {
        let mut lines = Lines::new(from);
        let header = lines.next_whole()?.ok_or(TransferError::NotAnArchive)?;
        line::check_header(header)?;
        Ok(Self { lines, tally: Tally::new(), ended: false })
    }

    /// The next records from the line `first` on; none at the end.
    fn page(&mut self, first: u64) -> Result<Page, TransferError> {
        let mut page = Page::default();
        while !self.ended && page.records.len() < usize::from(PAGE) && page.bytes < PAGE_BYTES {
            let number = self.lines.number + 1;
            let Some(line) = self.lines.next_whole()? else {
                return Err(TransferError::Cut { line: number - 1 });
            };
            if line::is_trailer(line) {
                let told = line::read_trailer(line);
                let told = told.map_err(|what| TransferError::Line { line: number, what })?;
                self.end(told)?;
                break;
            }
            self.tally.add(line);
            if number < first {
                continue;
            }
            let record = line::read_record(line)
                .map_err(|what| TransferError::Line { line: number, what })?;
            if page.records.is_empty() {
                page.line = number;
            }
            page.bytes += line.len() as u64;
            page.records.push(record);
        }
        Ok(page)
    }

    fn end(
        &mut self,
        (expected, expected_sha256): (u64, super::Sha256),
    ) -> Result<(), TransferError> {
        self.ended = true;
        let (found, found_sha256) = (self.tally.records, self.tally.sha256());
        if (found, found_sha256) != (expected, expected_sha256) {
            return Err(TransferError::Changed { expected, expected_sha256, found, found_sha256 });
        }
        if self.lines.is_more()? {
            return Err(TransferError::AfterTrailer { line: self.lines.number + 1 });
        }
        Ok(())
    }
}

/// Reads line by line, and says how many there were.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, line: Vec::new(), number: 0 }
    }

    /// The next line with its newline; `None` at the end, or if the newline is missing.
    pub(super) fn next_whole(&mut self) -> Result<Option<&[u8]>, TransferError> {
        let at = self.number + 1;
        self.line.clear();
        self.from
            .read_until(b'\n', &mut self.line)
            .map_err(|source| TransferError::Io { line: at, source })?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.number = at;
        Ok(Some(&self.line))
    }

    /// What stands after the last newline, once there is no whole line left.
    pub(super) fn rest(&self) -> &[u8] {
        &self.line
    }

    fn is_more(&mut self) -> Result<bool, TransferError> {
        let at = self.number + 1;
        let rest = self.from.fill_buf().map_err(|source| TransferError::Io { line: at, source })?;
        Ok(!rest.is_empty())
    }
}
