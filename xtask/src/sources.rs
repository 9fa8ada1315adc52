//! Finds the source files of the repository.

use std::path::{Path, PathBuf};

use crate::failure::{During, Outcome};

/// Every `.rs` file below `directory`, sorted; build output, installed packages and hidden directories
/// are not ours and left out.
pub(crate) fn rust_files(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    let doing = format!("reading {}", directory.display());
    for entry in std::fs::read_dir(directory).during(&doing)? {
        let entry = entry.during(&doing)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().during(&doing)?.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
