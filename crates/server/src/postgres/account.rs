//! Under whose account the cluster runs. PostgreSQL refuses root.
//!
//! Invariant: nothing of the cluster's runs as root, and root follows no path that the account can change.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown},
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

/// Makes the directory in which everything of the cluster is, or takes one that is the program's own. Where the cluster runs under
/// another account, that account may pass through it and put nothing there: what root opens in it, nobody else has put in its place.
pub(super) fn claim(directory: &Path, account: Option<Account>) -> Result<(), PostgresError> {
    let failed = |error| PostgresError::File(directory.to_owned(), error);
    let mode = if account.is_some() { 0o711 } else { 0o700 };
    match fs::DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => result.map_err(failed)?,
    }
    let at = fs::symlink_metadata(directory).map_err(failed)?;
    if !at.is_dir() || at.uid() != Uid::effective().as_raw() {
        return Err(PostgresError::NotOurs(directory.to_owned()));
    }
    // Also where the mask of the process, or whoever made it, allowed another mode.
    if account.is_some() {
        fs::set_permissions(directory, Permissions::from_mode(mode)).map_err(failed)
    } else {
        Ok(())
    }
}

/// Makes a directory of mode 0700 anew, in the place of whatever is there, and hands it over to the account.
pub(super) fn hand_over(directory: &Path, account: Option<Account>) -> Result<(), PostgresError> {
    let failed = |error| PostgresError::File(directory.to_owned(), error);
    match fs::symlink_metadata(directory).map(|at| at.is_dir()) {
        Ok(true) => fs::remove_dir_all(directory).map_err(failed)?,
        Ok(false) => fs::remove_file(directory).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    fs::DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
    account.map_or(Ok(()), |account| lchown(directory, Some(account.uid), Some(account.gid)).map_err(failed))
}

/// Writes a file anew in a directory that was handed over, and hands it over too. The account may have put anything in its place,
/// which is removed and not followed.
pub(super) fn write(path: &Path, text: &str, account: Option<Account>) -> Result<(), PostgresError> {
    let written = || {
        fs::remove_file(path)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        account.map_or(Ok(()), |account| fchown(&file, Some(account.uid), Some(account.gid)))
    };
    written().map_err(|error| PostgresError::File(path.to_owned(), error))
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
