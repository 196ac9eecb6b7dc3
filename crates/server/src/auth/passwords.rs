//! Passwords (H17): bcrypt over base64(HMAC-SHA-384(pepper, password)).
//!
//! Invariant: every answer about a password costs one bcrypt of the same cost, whoever it is about, and no more of them run at once
//! than the machine has cores. bcrypt itself reads 72 bytes: 64 characters of base64 carry all of a password of any length.

use crate::telemetry::fault::Fault;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;
use zxcvbn::Score;

use crate::vault::system::{SystemKey, SystemKeys};

/// The exponent that the contract asks for: 2^12 rounds, some 0.4 s.
const COST: u32 = 12;

/// Characters of a password, in code points.
pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// What zxcvbn must say of a new password, of 0 to 4: at least 10^8 guesses, too many for anybody who has to ask a server.
const STRENGTH: Score = Score::Three;

/// Passwords that may wait for a core. At 0.4 s each the last of them waits 13 s on two cores; more are told to come back.
const WAITING: usize = 64;

/// Why a password is not taken, or not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has 8 to 128 characters")]
    Length,
    /// In a list of known ones, or made of what everybody tries.
    #[error("this password is too easy to guess: take several unrelated words, or let a password manager make one")]
    Guessable,
    /// `WAITING` others are before it.
    #[error("too many sign-ins at once")]
    Busy,
    /// The cipher or the system's randomness failed.
    #[error("a password could not be processed")]
    Failed,
}

/// Hashes passwords and compares them.
pub struct Passwords {
    /// Versions of the pepper, newest first.
    peppers: Arc<[(i32, hmac::Key)]>,
    cost: u32,
    cores: Arc<Semaphore>,
    queue: Semaphore,
    evaluations: AtomicU64,
}

impl Passwords {
    /// Under the peppers of the installation, at the contract's cost.
    #[must_use]
    pub fn new(keys: &SystemKeys) -> Self {
        Self::with_cost(keys, COST)
    }

    /// At another cost, for tests, which make many users: an installation has [`Self::new`].
    #[must_use]
    pub fn with_cost(keys: &SystemKeys, cost: u32) -> Self {
        let pepper =
            |(version, key): (i32, &crate::vault::key::Key)| (version, hmac::Key::new(hmac::HMAC_SHA384, key.expose()));
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            peppers: keys.all(SystemKey::Pepper).map(pepper).collect(),
            cost,
            cores: Arc::new(Semaphore::new(cores)),
            queue: Semaphore::new(cores + WAITING),
            evaluations: AtomicU64::new(0),
        }
    }

    /// How many bcrypts were computed since the start.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// Refuses a new password that is too short, too long, or guessable by who knows `about` its owner.
    ///
    /// # Errors
    /// [`PasswordError::Length`], [`PasswordError::Guessable`], [`PasswordError::Busy`].
    pub async fn check(&self, password: &SecretString, about: Vec<String>) -> Result<(), PasswordError> {
        if !LENGTH.contains(&password.expose_secret().chars().count()) {
            return Err(PasswordError::Length);
        }
        let password = password.clone();
        let score = self
            .blocking(move || {
                let about: Vec<&str> = about.iter().map(String::as_str).collect();
                Ok(zxcvbn::zxcvbn(password.expose_secret(), &about).score())
            })
            .await?;
        if score < STRENGTH { Err(PasswordError::Guessable) } else { Ok(()) }
    }

    /// What to store of a password: the version of the pepper, and bcrypt's own format with cost and salt.
    ///
    /// # Errors
    /// [`PasswordError::Busy`], [`PasswordError::Failed`].
    pub async fn hash(&self, password: &SecretString) -> Result<Vec<u8>, PasswordError> {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let (password, peppers, cost) = (password.clone(), Arc::clone(&self.peppers), self.cost);
        self.blocking(move || {
            let (version, pepper) = peppers.first().ok_or(PasswordError::Failed)?;
            let hash = bcrypt::non_truncating_hash(&*peppered(pepper, &password), cost);
            Ok(format!("{version}:{}", hash.map_err(|_| PasswordError::Failed)?).into_bytes())
        })
        .await
    }

    /// Whether it is the password of which `stored` is stored. Where nothing is stored the answer is no, after as much work.
    ///
    /// # Errors
    /// [`PasswordError::Busy`]; [`PasswordError::Failed`] when what is stored is not a hash under a pepper of the installation.
    pub async fn verify(&self, password: &SecretString, stored: Option<Vec<u8>>) -> Result<bool, PasswordError> {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let (password, peppers, cost) = (password.clone(), Arc::clone(&self.peppers), self.cost);
        self.blocking(move || {
            let (is_known, (version, hash)) = match &stored {
                Some(stored) => (true, parsed(stored).ok_or(PasswordError::Failed)?),
                None => (false, (peppers.first().ok_or(PasswordError::Failed)?.0, nobodys(cost).into())),
            };
            let (_, pepper) = peppers.iter().find(|(known, _)| *known == version).ok_or(PasswordError::Failed)?;
            let fits = bcrypt::non_truncating_verify(&*peppered(pepper, &password), &hash);
            Ok(fits.map_err(|_| PasswordError::Failed)? && is_known)
        })
        .await
    }

    /// Runs off the async threads; what was begun holds its core until it ends, whether or not its request is still there.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.queue.try_acquire().map_err(|_| PasswordError::Busy)?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        let work = move || {
            let _core = core;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Failed)?
    }
}

/// What bcrypt is given.
fn peppered(pepper: &hmac::Key, password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(hmac::sign(pepper, password.expose_secret().as_bytes())))
}

/// The version of the pepper, and bcrypt's part.
fn parsed(stored: &[u8]) -> Option<(i32, std::borrow::Cow<'_, str>)> {
    let (version, hash) = std::str::from_utf8(stored).ok()?.split_once(':')?;
    Some((version.parse().ok()?, hash.into()))
}

/// A hash of that cost that is nobody's: 16 bytes of salt and 23 of hash, all zero, in bcrypt's base64.
fn nobodys(cost: u32) -> String {
    format!("$2b${cost:02}${}{}", ".".repeat(22), ".".repeat(31))
}

impl From<&PasswordError> for Fault {
    fn from(_: &PasswordError) -> Self {
        "a password could not be processed".into()
    }
}
