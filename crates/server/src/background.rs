//! What runs beside the API in the same process until the program stops.
//!
//! Invariant: it ends within seconds of [`Operation::stop`](crate::operation::Operation::stop), with everything it has begun finished,
//! handed back, or safe to begin again.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    app::App,
    deletion::{blobs, mirror},
};

/// How often what deletions and acts leave to do is done: objects of deleted calls are gone within minutes (H13).
const UPKEEP: Duration = Duration::from_secs(60);

/// Runs until the program stops.
pub async fn run(app: &App) {
    // The worker joins here: `tokio::join!(upkeep(app), worker::run(app))`.
    upkeep(app).await;
}

/// Copies receipts and heads of the audit log out of the database, and removes objects whose key is gone.
async fn upkeep(app: &App) {
    let mut stopping = app.operation.stopping();
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        }
        // Each may be repeated from anywhere; what fails now is done in a minute.
        if let Err(error) = mirror::catch_up(&app.database, &app.blobs, app.vault.signer()).await {
            tracing::warn!(fault = %error, "receipts and heads were not copied");
        }
        if let Err(error) = blobs::sweep(&app.database, &app.blobs).await {
            tracing::warn!(fault = %error, "objects of deleted records were not removed");
        }
    }
}
