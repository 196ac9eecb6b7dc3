//! Exports (GDPR, articles 15 and 20): everything about a user, or every call with a data subject, in one archive.
//!
//! Invariant: an archive is sealed under a key of its own, which is gone a day after it was asked for at the latest, by the database's
//! clock, and with the first of its calls that is deleted. It is read by who asked for it and signed in lately, and by nobody else.
//!
//! ```text
//! routes   asking, looking, downloading
//! store    all SQL of exports
//! key      the key of an archive, of which each call holds a share
//! build    one attempt at an archive, under a lease
//! user     what there is about a user besides calls
//! contacts the address book, or who of it a data subject is
//! calls    a call, a folder each
//! recording  its recording, where the tenant keeps it
//! archive  a ZIP that is sealed and stored as it grows
//! page     its index.html and README.txt
//! ```

mod archive;
mod build;
mod calls;
mod contacts;
mod key;
mod page;
mod recording;
pub mod routes;
mod store;
mod user;

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use tokio::{sync::Notify, time::sleep};

use crate::{
    app::App,
    audit::{self, Action, subject},
    db::{DbError, TenantTx, Write},
    deletion,
    http::places::{Places, Shares, Told},
    telemetry::log,
    vault::{blobs, seal::RecordKind},
};

/// Calls in one archive. Its directory is held while it grows: ten entries of some 300 bytes a call, 150 MB.
const MAX_CALLS: usize = 50_000;

/// Bytes of an archive: what an object may hold. With recordings that is some 300 hours of two channels; who has more asks for each.
const MAX_BYTES: u64 = blobs::MAX_BYTES;

/// Archives that one program sends at once, each some megabytes of memory.
const DOWNLOADS: usize = 8;

/// Those of one user: one more than an impatient browser needs.
const DOWNLOADS_EACH: usize = 2;

/// Those of one tenant: half of all.
const DOWNLOADS_OF_TENANT: usize = DOWNLOADS / 2;

/// What is said where there are too many.
const TOLD: Told = Told {
    user: "you download too many exports at once; wait for one",
    tenant: "your tenant downloads too many exports at once; try again",
    all: "too many exports are being downloaded; try again",
};

/// Between two looks for exports whose builder died, and for those that were asked for elsewhere.
const POLL: Duration = Duration::from_secs(15);

/// For how long an export belongs to its builder without a sign of life; it gives one with each call, which takes a second at most.
const LEASE: Duration = Duration::from_secs(120);

/// Between two attempts, of which the first went wrong.
const RETRY: Duration = Duration::from_secs(10);

/// Attempts at an export. It is a program that died, or a database or store that went away, which the next one may not meet.
const MAX_ATTEMPTS: i16 = 3;

/// Whose data it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
enum Kind {
    /// The user's who asked.
    User = 1,
    /// Somebody's whom calls of the tenant were with.
    Subject = 2,
}

impl Kind {
    /// Its number among the subjects of audit events.
    fn subject(self) -> i16 {
        match self {
            Self::User => subject::EXPORT,
            Self::Subject => subject::SUBJECT_EXPORT,
        }
    }

    fn numbered(number: i16) -> Result<Self, DbError> {
        [Self::User, Self::Subject].into_iter().find(|kind| *kind as i16 == number).ok_or(DbError::Unexpected)
    }
}

/// What exports share within a program.
pub struct Exports {
    /// Somebody asked for one.
    asked: Notify,
    /// Who downloads one.
    pub downloads: Places,
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            asked: Notify::new(),
            downloads: Places::new(Shares {
                user: DOWNLOADS_EACH,
                tenant: DOWNLOADS_OF_TENANT,
                all: DOWNLOADS,
                retry_after: 30,
            }),
        }
    }
}

/// Builds what is asked for, one at a time, until the program stops. What is under way then is begun again by another program, or this
/// one's next run, when its lease has ended.
pub async fn run(app: &App) {
    let built = async {
        loop {
            if let Err(error) = work(app).await {
                log::warning!(fault = &error, "exports cannot be looked for");
            }
            tokio::select! {
                () = app.exports.asked.notified() => {}
                () = sleep(POLL) => {}
            }
        }
    };
    tokio::select! {
        () = built => {}
        () = app.operation.stopped() => {}
    }
}

/// Builds every export that nobody builds; returns how many attempts that were.
///
/// # Errors
/// When they cannot be looked for. What goes wrong with one of them does not hold up the others.
pub async fn work(app: &App) -> Result<u64, DbError> {
    let mut attempts = 0;
    while let Some(claim) = store::claim(&app.database, interval(LEASE)).await? {
        build::attempt(app, &claim).await;
        attempts += 1;
    }
    Ok(attempts)
}

/// Ends the exports of the transaction's tenant whose day is over, or one of whose calls was deleted: their keys now, their bytes by the
/// outbox. Forgets them after 30 days.
///
/// # Errors
/// When the transaction fails.
pub async fn sweep(tx: &mut TenantTx<Write>) -> Result<(), DbError> {
    for over in store::expire(tx).await? {
        if let Some(place) = over.place {
            deletion::blobs::remove_object(tx, RecordKind::User, place).await?;
        }
        audit::record(tx, Action::ExpireExport, over.kind.subject(), over.id).await?;
    }
    store::forget(tx).await
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
