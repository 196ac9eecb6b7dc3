//! Finding an installed PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::PostgresError;

/// The oldest major version that the schema works with.
const OLDEST: u32 = 15;

/// Where Debian puts each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of one major version.
#[derive(Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// The version that made the cluster, or the newest installed one for a new cluster.
    pub(super) fn find(made: Option<u32>) -> Result<Self, PostgresError> {
        let mut found: Vec<_> = candidates().into_iter().filter_map(Self::at).filter(|b| b.major >= OLDEST).collect();
        found.sort_by_key(|binaries| binaries.major);
        let Some(made) = made else { return found.pop().ok_or(PostgresError::NotInstalled) };
        let versions: Vec<_> = found.iter().map(|binaries| binaries.major.to_string()).collect();
        if found.is_empty() {
            return Err(PostgresError::NotInstalled);
        }
        let found = found.into_iter().find(|binaries| binaries.major == made);
        found.ok_or_else(|| PostgresError::OtherMajor { made, found: versions.join(", ") })
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    fn at(directory: PathBuf) -> Option<Self> {
        let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
        let major = major(std::str::from_utf8(&output.stdout).ok()?)?;
        directory.join("initdb").exists().then_some(Self { directory, major })
    }
}

/// `pg_config` names the newest that it belongs to; Debian keeps several side by side.
fn candidates() -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && let Ok(directory) = String::from_utf8(output.stdout)
    {
        candidates.push(PathBuf::from(directory.trim()));
    }
    for version in fs::read_dir(Path::new(DEBIAN)).into_iter().flatten().flatten() {
        candidates.push(version.path().join("bin"));
    }
    candidates
}

/// Of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(version: &str) -> Option<u32> {
    version.split_whitespace().nth(2)?.split(['.', 'b', 'r', 'd']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("no such program"), None);
    }
}
