//! `INDEXED`: the call can be found. Its one invariant: a call is completed whether this works or not; where it does not, upkeep makes the
//! postings later ([`search::index::catch_up`]). What a call means is left to upkeep ([`search::remembered`]): embedding is slow, and nothing
//! waits for it.

use std::time::Instant;

use super::{
    failure::Failure,
    pipeline::Run,
    stage::{Event, Stage},
};
use crate::{search, telemetry::log, vault::keys::VaultError};

impl Run<'_> {
    /// Makes the postings of the call, and says how that went.
    pub(super) async fn index(&self) -> Result<Event<'static>, Failure> {
        let (app, call, began) = (&self.worker.app, self.lease.call, Instant::now());
        let mut tx = self.write().await?;
        match search::index::renew(&mut tx, &app.vault, call).await {
            Ok(()) => {
                tx.commit().await?;
                Ok(Event::completed(Stage::Indexed).by("local").took(began.elapsed()))
            }
            Err(error) => {
                log::warning!(fault = &error, "a call was not indexed; upkeep does it later");
                Ok(Event::failed(Stage::Indexed, code(&error)))
            }
        }
    }
}

fn code(error: &VaultError) -> &'static str {
    match error {
        VaultError::Database(_) => "database_failed",
        _ => "content_damaged",
    }
}
