//! The recording of a call in an archive: the one in which what was redacted is silent, as it is played, for the user and for a data subject
//! alike. Its one invariant: a chunk at most is held in clear, and between stretches the call, its recording and the lease are looked at
//! again.

use uuid::Uuid;

use super::build::{Building, Failure, hold};
use crate::{
    audio::{
        Rendition,
        open::Open,
        store::{self, Found, Kept},
    },
    db::{Access, DbError, TenantTx},
    vault::keys::{Vault, VaultError},
};

/// Bytes between two looks: four parts of an object, a few seconds.
const STRETCH: u64 = 16 << 20;

/// The recording that a tenant keeps of a call.
pub(super) async fn find<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Option<Open>, Failure> {
    match store::find(tx, call, Rendition::Redacted).await? {
        Found::Kept(kept) => Ok(Some(Open::of(tx, vault, (kept, Rendition::Redacted)).await?)),
        Found::Nothing | Found::TurnedOff => Ok(None),
    }
}

/// Adds it to the folder of its call.
pub(super) async fn add(building: &mut Building<'_>, mut open: Open) -> Result<(), Failure> {
    building.archive.begin_samples(&format!("calls/{}/recording.wav", open.kept.place.record)).await?;
    let (mut at, length) = (0, open.length());
    while at < length {
        if at > 0 {
            open = again(building, &open.kept).await?;
        }
        let stretch = at..length.min(at + STRETCH);
        at = stretch.end;
        let mut bytes = open.read(&building.app.blobs, stretch).await?;
        while let Some(next) = bytes.next().await? {
            building.archive.add(next).await?;
        }
    }
    Ok(())
}

/// Opens it again, where it is still there and the same.
async fn again(building: &Building<'_>, before: &Kept) -> Result<Open, Failure> {
    let mut tx = building.app.database.write(&building.scope).await?;
    let found = match find(&mut tx, &building.app.vault, before.place.record).await {
        Err(Failure::Database(DbError::NotFound) | Failure::Vault(VaultError::Gone(_))) => None,
        found => found?,
    };
    hold(building.claim, &mut tx).await?;
    tx.commit().await?;
    found.filter(|open| open.kept == *before).ok_or(Failure::Changed)
}
