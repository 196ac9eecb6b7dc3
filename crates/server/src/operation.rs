//! How the service runs, beside what it does: its configuration, its limits, what it counts.

use aws_lc_rs::hmac;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    config::Config,
    http::limits::Places,
    rate_limit::{Limiter, RedisAddress},
    telemetry::metrics::Metrics,
    vault::{keys::Vault, system::SystemKey},
};

/// For what the key of sign-in addresses is used here beside addresses.
const PURPOSE: &[u8] = b"subrosa rate limits 1";

/// What operation needs.
pub struct Operation {
    /// What the installation was told.
    pub config: Config,
    /// How often callers may ask.
    pub limiter: Limiter,
    /// How many requests are answered at once.
    pub places: Places,
    /// What is counted.
    pub metrics: Metrics,
    stopping: watch::Sender<bool>,
}

impl Operation {
    /// As configured. Servers of one installation hide callers under the same key, so that they count together.
    ///
    /// # Errors
    /// When the address of Redis is none.
    pub fn new(config: Config, vault: &Vault, clock: &Clock) -> Result<Self, RedisAddress> {
        let (_, key) = vault.system_keys().newest(SystemKey::SignIn);
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), PURPOSE);
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        bytes.copy_from_slice(derived.as_ref());
        let limiter = Limiter::new(config.redis.as_ref(), &bytes, clock.clone())?;
        let places = Places::new(&config.limits);
        Ok(Self { config, limiter, places, metrics: Metrics::default(), stopping: watch::Sender::new(false) })
    }

    /// Says that the program ends: it is not ready any more, and streams that never end by themselves end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Turns true when the program ends; for answers that stream for as long as somebody listens.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Waits until the program ends.
    pub async fn stopped(&self) {
        // An error says that it has.
        let _ = self.stopping().wait_for(|is_stopping| *is_stopping).await;
    }

    /// Waits until what the program still does is cut off: `limits.shutdown_time` after it was told to end.
    pub async fn cut_off(&self) {
        self.stopped().await;
        tokio::time::sleep(self.config.limits.shutdown_time).await;
    }
}
