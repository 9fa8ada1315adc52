//! Remembers which lock file an installation was made from, so that a second run has nothing to do.

use std::path::{Path, PathBuf};

use crate::failure::{During, Outcome};

/// A copy of the lock file inside the installed directory: it goes when the directory goes, and equals
/// the lock file only if nothing changed since.
#[derive(Debug)]
pub(super) struct Stamp {
    lock: PathBuf,
    copy: PathBuf,
}

impl Stamp {
    /// The stamp in `installed` for the lock file `lock`.
    pub(super) fn new(lock: &Path, installed: &Path) -> Self {
        Self { lock: lock.to_owned(), copy: installed.join(".installed-from") }
    }

    /// Whether what is installed was made from the lock file as it is now.
    pub(super) fn is_current(&self) -> bool {
        match (std::fs::read(&self.lock), std::fs::read(&self.copy)) {
            (Ok(lock), Ok(copy)) => lock == copy,
            _ => false,
        }
    }

    /// Notes that the installation is complete.
    pub(super) fn set(&self) -> Outcome<()> {
        std::fs::copy(&self.lock, &self.copy)
            .map(|_| ())
            .during(format!("writing {}", self.copy.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn a_changed_lock_file_makes_the_stamp_stale() {
        let directory = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        let installed = directory.join("installed");
        std::fs::create_dir_all(&installed).unwrap();
        let lock = directory.join("lock");
        std::fs::write(&lock, "one").unwrap();
        let stamp = Stamp::new(&lock, &installed);
        assert!(!stamp.is_current());
        stamp.set().unwrap();
        assert!(stamp.is_current());
        std::fs::write(&lock, "two").unwrap();
        assert!(!stamp.is_current());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
