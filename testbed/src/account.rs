//! [`Account`]: whom a server runs as that does not run as root.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use crate::error::{Doing, StartError};

/// A user of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    /// The user's number.
    pub(crate) uid: u32,
    /// The number of the user's group.
    pub(crate) gid: u32,
}

impl Account {
    /// The user `name` if this process is root; nobody else could change to that user, or has to.
    pub(crate) fn instead_of_root(name: &'static str) -> Result<Option<Self>, StartError> {
        // `/proc/self` belongs to whom this process runs as.
        if !std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0) {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").doing("reading /etc/passwd")?;
        users.lines().find_map(|line| parse(line, name)).map(Some).ok_or(StartError::NoUser(name))
    }

    /// Gives a file or folder to the user.
    pub(crate) fn take(self, path: &Path) -> Result<(), StartError> {
        chown(path, Some(self.uid), Some(self.gid))
            .doing(format!("giving {} to another user", path.display()))
    }
}

fn parse(line: &str, name: &str) -> Option<Account> {
    let mut parts = line.split(':');
    (parts.next()? == name).then_some(())?;
    let uid = parts.nth(1)?.parse().ok()?;
    let gid = parts.next()?.parse().ok()?;
    Some(Account { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_of_the_user_list_is_read() {
        let line = "postgres:x:101:104:PostgreSQL administrator:/var/lib/postgresql:/bin/bash";
        let account = parse(line, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert!(parse(line, "post").is_none());
    }
}
