//! [`Folder`]: a temporary folder.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Doing, StartError};

/// A new folder below the system's temporary folder, which goes with the value.
///
/// Others may pass through it but not list it: a server that runs as another user must reach its data. A
/// killed process leaves its folders behind; the next one that makes a folder removes them.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held as long as the folder is in use; the operating system lets go of it for a killed process.
    _lock: File,
}

const PREFIX: &str = "auth-testbed-";
const LOCK: &str = ".lock";
/// A folder younger than this may not be locked yet.
const SURELY_LOCKED: Duration = Duration::from_secs(60);

impl Folder {
    /// Makes one.
    ///
    /// # Errors
    /// If the temporary folder is missing, full or read-only.
    pub fn new() -> Result<Self, StartError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static LEFT_BEHIND: Once = Once::new();
        LEFT_BEHIND.call_once(remove_left_behind);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}-{nth}", std::process::id()));
        let doing = || format!("making the folder {}", path.display());
        // A process of the same number may have left one.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).doing(doing())?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o711)).doing(doing())?;
        let lock = File::create(path.join(LOCK)).doing(doing())?;
        lock.lock().doing(doing())?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A server that was killed may write for a moment longer.
        for _ in 0..20 {
            match std::fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(25));
                }
                _ => return,
            }
        }
    }
}

fn remove_left_behind() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && is_left_behind(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_behind(folder: &Path) -> bool {
    let Ok(lock) = File::open(folder.join(LOCK)) else { return false };
    let age = lock.metadata().and_then(|metadata| metadata.modified());
    let is_old = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > SURELY_LOCKED));
    is_old && lock.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Folder, LOCK, is_left_behind};

    #[test]
    fn a_folder_goes_with_its_value_and_is_not_left_behind_before() {
        let folder = Folder::new().unwrap();
        let path = folder.path().to_owned();
        std::fs::write(folder.file("data"), "x").unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        std::fs::File::options()
            .write(true)
            .open(folder.file(LOCK))
            .unwrap()
            .set_modified(old)
            .unwrap();
        assert!(!is_left_behind(&path), "it is locked");
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_nobody_holds_is_left_behind() {
        let outer = Folder::new().unwrap();
        let inner = outer.file("inner");
        std::fs::create_dir(&inner).unwrap();
        let lock = std::fs::File::create(inner.join(LOCK)).unwrap();
        assert!(!is_left_behind(&inner), "too young to tell");
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        lock.set_modified(old).unwrap();
        assert!(is_left_behind(&inner));
    }
}
