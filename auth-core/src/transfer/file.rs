//! Archives in files.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::path::Path;

use auth_store::{Archive, Timestamp};

use super::import::{check, import};
use super::progress::Progress;
use super::{Exported, Imported, Partial, TransferError, export, resume};

/// Exports into a file, which is made with the mode 0600, or goes on with an export that did not end.
/// When it is done, everything is on disk. Blocks as the file does.
///
/// # Errors
/// [`TransferError`]; [`TransferError::Finished`] if the file holds a finished export already.
pub async fn export_file(
    from: &dyn Archive,
    path: &Path,
    exported_at: Timestamp,
    progress: impl Progress,
) -> Result<Exported, TransferError> {
    let failed = |source| TransferError::Io { line: 1, source };
    let mut file = open(path).map_err(failed)?;
    let exported = match Partial::read(BufReader::new(&file))? {
        None => {
            start_over(&mut file).map_err(failed)?;
            export(from, BufWriter::with_capacity(BUFFER, &file), exported_at, progress).await?
        }
        Some(partial) if partial.is_finished() => {
            return Err(TransferError::Finished { records: partial.records() });
        }
        Some(partial) => {
            file.set_len(partial.whole()).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
            let to = BufWriter::with_capacity(BUFFER, &file);
            resume(partial, from, to, progress).await?
        }
    };
    file.sync_all().map_err(|source| TransferError::Io { line: exported.records + 2, source })?;
    Ok(exported)
}

/// Imports a file from its line `first` on; a whole archive begins with line 1. The file is read twice:
/// nothing is written before it was found whole.
///
/// # Errors
/// [`TransferError`] names the line.
pub async fn import_file(
    path: &Path,
    into: &dyn Archive,
    first: u64,
    progress: impl Progress,
) -> Result<Imported, TransferError> {
    let open = || File::open(path).map_err(|source| TransferError::Io { line: 1, source });
    let buffered = |file| BufReader::with_capacity(BUFFER, file);
    check(buffered(open()?))?;
    import(buffered(open()?), into, first, progress).await
}

const BUFFER: usize = 256 * 1024;

/// Only a file that was cut in its header is begun anew.
fn start_over(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0)).map(drop)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
