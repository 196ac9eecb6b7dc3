//! Where a keyring is read from: a variable, a file, or the output of a command. Its one invariant: what was read is wiped,
//! and at most [`MAX_BYTES`] of it were ever held.

use std::{
    ffi::OsString,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{fcntl::OFlag, unistd::geteuid};
use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use super::KeyringError;

/// Bytes of a keyring: four times what 64 keys with the longest ids take.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// How long a command may take: a Vault or KMS behind a slow network answers in seconds.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// The variables that name a source.
pub(super) const VARIABLES: [&str; 3] = ["SUBROSA_KEYS", "SUBROSA_KEYS_FILE", "SUBROSA_KEYS_COMMAND"];

/// Where the keys are.
pub enum KeySource {
    /// In the environment: `SUBROSA_KEYS`.
    Text(SecretString),
    /// In a file that only its owner reads: `SUBROSA_KEYS_FILE`.
    File(PathBuf),
    /// On the standard output of a shell command: `SUBROSA_KEYS_COMMAND`.
    Command(OsString),
}

impl KeySource {
    /// The source that the environment names; `variable` reads it.
    ///
    /// # Errors
    /// [`KeyringError::Missing`] without any, [`KeyringError::Ambiguous`] with more than one, [`KeyringError::NotText`].
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, KeyringError> {
        let mut set = VARIABLES.into_iter().filter_map(|name| Some((name, variable(name)?)));
        let (name, value) = set.next().ok_or(KeyringError::Missing)?;
        if let Some((second, _)) = set.next() {
            return Err(KeyringError::Ambiguous { first: name, second });
        }
        Ok(match name {
            "SUBROSA_KEYS" => Self::Text(value.into_string().map_err(|_| KeyringError::NotText)?.into()),
            "SUBROSA_KEYS_FILE" => Self::File(value.into()),
            _ => Self::Command(value),
        })
    }

    /// The text of the keyring.
    ///
    /// # Errors
    /// What is wrong with the file or the command, see [`KeyringError`].
    pub async fn read(&self) -> Result<SecretString, KeyringError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read_file(path),
            Self::Command(command) => read_command(command).await,
        }
    }
}

/// Blocks for the time of one small read: at the start, and when a running program meets a key that its ring lacks.
fn read_file(path: &Path) -> Result<SecretString, KeyringError> {
    let failed = |source| KeyringError::File { path: path.to_owned(), source };
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    let file =
        std::fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(failed)?;
    // Of the open file, so that nobody can exchange it between the check and the read.
    let metadata = file.metadata().map_err(failed)?;
    let (mode, owner, user) = (metadata.mode() & 0o7777, metadata.uid(), geteuid().as_raw());
    if !metadata.is_file() {
        return Err(KeyringError::NotAFile { path: path.to_owned() });
    }
    if mode & 0o077 != 0 {
        return Err(KeyringError::Mode { path: path.to_owned(), mode });
    }
    if owner != user {
        return Err(KeyringError::Owner { path: path.to_owned(), owner, user });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    text(&bytes)
}

async fn read_command(command: &OsString) -> Result<SecretString, KeyringError> {
    let failed = |error: std::io::Error| KeyringError::Command(format!("could not be run: {}", error.kind()));
    let mut child = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    let output = child.stdout.take().ok_or(KeyringError::NotText)?;
    let finished = tokio::time::timeout(COMMAND_TIME, async {
        output.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
        if bytes.len() > MAX_BYTES {
            return Ok(None);
        }
        child.wait().await.map(Some)
    });
    match finished.await {
        Err(_) => Err(KeyringError::Command(format!("gave no keyring within {} s", COMMAND_TIME.as_secs()))),
        Ok(Err(error)) => Err(failed(error)),
        Ok(Ok(None)) => Err(KeyringError::TooLong),
        Ok(Ok(Some(status))) if !status.success() => Err(KeyringError::Command(format!("failed: {status}"))),
        Ok(Ok(Some(_))) => text(&bytes),
    }
}

fn text(bytes: &[u8]) -> Result<SecretString, KeyringError> {
    if bytes.len() > MAX_BYTES {
        return Err(KeyringError::TooLong);
    }
    std::str::from_utf8(bytes).map(SecretString::from).map_err(|_| KeyringError::NotText)
}
