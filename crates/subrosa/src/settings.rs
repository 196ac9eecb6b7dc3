//! What the installation is told: flags, the environment, the configuration file. Its one invariant: nothing that has state begins
//! before all of it was read and found sensible.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use chrono::Utc;
use secrecy::{ExposeSecret as _, SecretString};
use server::{
    config::{Config, Faults, Layers, Settings},
    vault::keyring::{self, KeyId, KeySource, KeyringError},
};

/// What the command line says about the configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration file [default: $SUBROSA_CONFIG, or subrosa.toml in the data directory where there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, before the file and the environment; may be given several times.
    #[arg(long = "set", global = true, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Args {
    /// The same as options, for another start of this program with this data directory.
    pub(crate) fn arguments(&self, data_dir: &Path) -> Vec<OsString> {
        let mut arguments = vec!["--data-dir".into(), data_dir.into()];
        if let Some(config) = &self.config {
            arguments.extend(["--config".into(), config.into()]);
        }
        arguments.extend(self.set.iter().map(|(name, value)| format!("--set={name}={value}").into()));
        arguments
    }

    /// Whether there is any.
    pub(crate) fn is_said(&self) -> bool {
        self.config.is_some() || !self.set.is_empty()
    }

    /// Adds what an option of a subcommand says.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.set.push((name.to_owned(), value));
    }
}

/// An installation before it is opened.
pub(crate) struct Place {
    /// Where its state lies.
    pub(crate) data_dir: PathBuf,
    /// What it is told.
    pub(crate) config: Config,
    /// The same, with sources.
    pub(crate) settings: Settings,
}

impl Place {
    /// Reads the configuration.
    pub(crate) fn read(args: &Args, data_dir: &Path) -> Result<Self, Faults> {
        let named = std::env::var_os("SUBROSA_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let (config, settings) = Config::load(&Layers {
            named_file: args.config.clone().or(named),
            usual_file: Some(data_dir.join("subrosa.toml")),
            environment: std::env::vars_os().collect(),
            flags: args.set.clone(),
        })?;
        Ok(Self { data_dir: data_dir.to_owned(), config, settings })
    }

    /// Where the keys are: as configured, else in the file that the first start made.
    pub(crate) fn keys(&self) -> Result<KeySource, KeyringError> {
        let found = KeySource::from_environment(|name| match name {
            "SUBROSA_KEYS" => std::env::var_os(name),
            "SUBROSA_KEYS_FILE" => self.config.keys.file.clone().map(PathBuf::into_os_string),
            _ => self.config.keys.command.clone().map(OsString::from),
        });
        match found {
            Err(KeyringError::Missing) if self.key_file().exists() => Ok(KeySource::File(self.key_file())),
            found => found,
        }
    }

    /// Makes the first key where nothing was ever kept under another: no source of keys, no database. Returns its file.
    pub(crate) fn make_first_key(&self) -> Result<Option<PathBuf>, KeyringError> {
        let is_new = self.config.database.url.is_none() && !self.data_dir.join("postgres").exists();
        if !is_new || !matches!(self.keys(), Err(KeyringError::Missing)) {
            return Ok(None);
        }
        let id = KeyId::parse(&Utc::now().format("%Y-%m-%d").to_string()).ok_or(KeyringError::NotText)?;
        let (path, key) = (self.key_file(), keyring::generate(&id)?);
        match fs::create_dir_all(&self.data_dir).and_then(|()| write_key(&path, &key)) {
            Ok(()) => Ok(Some(path)),
            Err(source) => Err(KeyringError::File { path, source }),
        }
    }

    fn key_file(&self) -> PathBuf {
        self.data_dir.join("keys")
    }
}

/// On the disk before anything is sealed under it, and readable by its owner alone from the start.
fn write_key(path: &Path, key: &SecretString) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", key.expose_secret())?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
