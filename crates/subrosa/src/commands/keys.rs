//! `subrosa keys`: key-encryption keys, from the first to the last. Its one invariant: a key is printed by `generate` and by
//! nothing else.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use chrono::Utc;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::ExposeSecret as _;
use server::vault::{
    keyring::{self, KeyId},
    rotation::{self, KeyState, Progress},
    system,
};

use crate::{
    exit,
    installation::{self, Installation, Purpose, StateError},
    settings::Place,
};

/// What to do with keys.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a new random key as `id:base64`, to be put in front of the keyring.
    Generate {
        /// Its name, which no other key may ever have; today's date by default.
        id: Option<String>,
    },
    /// List keys with their age and how much they seal.
    List,
    /// Seal everything that is under an older key again, under the newest; others may work meanwhile.
    ///
    /// Put the new key in front of the keyring first and keep the old one behind it. A rotation that was interrupted goes on
    /// where it was.
    Rotate,
    /// Sign access tokens with a new key; services follow within a minute, and nobody is signed out.
    ///
    /// What the old key signed stays good for the ten minutes of a token; twenty minutes later nothing that it signs is accepted any
    /// more.
    RotateTokens,
    /// Mark a key as retired once nothing is sealed under it, so that it can be destroyed.
    Retire {
        /// Which key.
        id: String,
    },
}

/// Runs `subrosa keys`; the installation is read only where it is needed.
pub(crate) fn run(command: Command, place: impl FnOnce() -> Result<Place, ExitCode>) -> ExitCode {
    let work = match command {
        Command::Generate { id } => return generate(id),
        Command::Retire { id } => match KeyId::parse(&id) {
            Some(id) => Work::Retire(id),
            None => return no_id(),
        },
        Command::List => Work::List,
        Command::Rotate => Work::Rotate,
        Command::RotateTokens => Work::RotateTokens,
    };
    let place = match place() {
        Ok(place) => place,
        Err(code) => return code,
    };
    let purpose = if matches!(work, Work::List) { Purpose::Look } else { Purpose::Change };
    installation::with(&place, purpose, async |installation| match work {
        Work::List => list(installation).await,
        Work::Rotate => rotate(installation).await,
        Work::RotateTokens => rotate_tokens(installation).await,
        Work::Retire(id) => retire(installation, id).await,
    })
}

/// What needs the installation.
enum Work {
    List,
    Rotate,
    RotateTokens,
    Retire(KeyId),
}

fn no_id() -> ExitCode {
    exit::report("a key's name is 1 to 32 letters, digits, '.', '_' or '-'", exit::USAGE)
}

fn generate(id: Option<String>) -> ExitCode {
    let Some(id) = KeyId::parse(&id.unwrap_or_else(|| Utc::now().format("%Y-%m-%d").to_string())) else {
        return no_id();
    };
    let key = match keyring::generate(&id) {
        Ok(key) => key,
        Err(error) => return exit::report(error, exit::FAILED),
    };
    match writeln!(io::stdout(), "{}", key.expose_secret()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(format_args!("the key cannot be printed: {}", error.kind()), exit::OUTPUT),
    }
}

async fn list(installation: &Installation) -> Result<(), StateError> {
    let now = Utc::now();
    let mut table = format!("{:<32}  {:<10}  {:>8}  {:>10}  state\n", "key", "since", "age", "seals");
    for state in rotation::list(&installation.database, &installation.vault).await? {
        let since = state.since.format("%Y-%m-%d");
        let (id, age, seals) = (&state.id, state.age_days(now), state.seals);
        table += &format!("{id:<32}  {since}  {age:>3} days  {seals:>10}  {}\n", describe(&state));
    }
    // A reader that went away has seen what it wanted.
    let _ = io::stdout().write_all(table.as_bytes());
    Ok(())
}

fn describe(state: &KeyState) -> &'static str {
    match state {
        KeyState { retired: Some(_), .. } => "retired",
        KeyState { is_newest: true, .. } => "seals",
        KeyState { is_in_ring: false, .. } => "not in the keyring",
        KeyState { seals: 0, .. } => "can be retired",
        _ => "opens only: rotate",
    }
}

async fn rotate(installation: &Installation) -> Result<(), StateError> {
    let mut meter = Meter::new();
    let done = rotation::rotate(&installation.database, &installation.vault, |progress| meter.show(progress)).await?;
    meter.clear();
    exit::line(format_args!("{} keys sealed again under {}", done.done, installation.vault.ring().newest().id));
    installation.copy_logs().await
}

async fn rotate_tokens(installation: &Installation) -> Result<(), StateError> {
    let version = system::rotate_tokens(&installation.database, &installation.vault).await?;
    exit::line(format_args!(
        "access tokens are signed with key {version} from now on, within a minute by every service"
    ));
    installation.copy_logs().await
}

/// How far a rotation is: a bar on a terminal; elsewhere plain lines, one a tenth of the keys.
enum Meter {
    Bar(ProgressBar),
    Lines { tenths: i64 },
}

impl Meter {
    fn new() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { tenths: 0 };
        }
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} keys, {eta} left");
        Self::Bar(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    fn show(&mut self, Progress { done, total }: Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(total.unsigned_abs());
                bar.set_position(done.unsigned_abs());
            }
            Self::Lines { tenths } => {
                let now = 10 * done / total.max(1);
                if now > *tenths {
                    exit::line(format_args!("{done} of {total} keys"));
                    *tenths = now;
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

async fn retire(installation: &Installation, id: KeyId) -> Result<(), StateError> {
    rotation::retire(&installation.database, &installation.vault, &id).await?;
    exit::line(format_args!("key {id} is retired: take it out of the keyring, and destroy it when no backup needs it"));
    installation.copy_logs().await
}
