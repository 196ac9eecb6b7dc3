//! Under whose account the cluster runs. PostgreSQL refuses root.
//!
//! Invariant: nothing of the cluster's runs as root.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::Path,
};

use nix::unistd::{Uid, User};
use tokio::process::Command;

use super::PostgresError;

/// An unprivileged account of the system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The named account for a program that runs as root; `None` where the program's own will do.
    pub(super) fn for_cluster(name: &str) -> Result<Option<Self>, PostgresError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let user = User::from_name(name).ok().flatten().filter(|user| !user.uid.is_root());
        let user = user.ok_or_else(|| PostgresError::NoAccount(name.to_owned()))?;
        Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }

    fn name(self) -> String {
        let user = User::from_uid(Uid::from_raw(self.uid)).ok().flatten();
        user.map_or_else(|| self.uid.to_string(), |user| user.name)
    }
}

/// Lets a command run under the account; the standard library drops root's supplementary groups with it.
pub(super) fn drop_privileges(command: &mut Command, account: Option<Account>) {
    if let Some(account) = account {
        command.gid(account.gid).uid(account.uid);
    }
}

/// Makes a directory of mode 0700 that belongs to the account, and hands over one that exists.
pub(super) fn own(directory: &Path, account: Option<Account>) -> Result<(), PostgresError> {
    let failed = |error| PostgresError::File(directory.to_owned(), error);
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => result.map_err(failed)?,
    }
    if let Some(account) = account {
        chown(directory, Some(account.uid), Some(account.gid)).map_err(failed)?;
    }
    Ok(())
}

/// Checks that the account can enter every directory above one.
pub(super) fn can_reach(directory: &Path, account: Option<Account>) -> Result<(), PostgresError> {
    let Some(account) = account else { return Ok(()) };
    for above in directory.ancestors().skip(1) {
        let at = fs::metadata(above).map_err(|error| PostgresError::File(above.to_owned(), error))?;
        let enter = match (at.uid() == account.uid, at.gid() == account.gid) {
            (true, _) => 0o100,
            (_, true) => 0o010,
            _ => 0o001,
        };
        if at.mode() & enter == 0 {
            return Err(PostgresError::Unreachable { account: account.name(), directory: above.to_owned() });
        }
    }
    Ok(())
}
