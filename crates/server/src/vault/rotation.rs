//! The life of key-encryption keys: list, rotate, retire. Its one invariant: at any instant every key that seals something is
//! known to the database and every sealed key opens under the key that its row names, however often a rotation was killed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    keyring::{Kek, KeyId, Keyring, KeyringError, MAX_AGE_DAYS},
    keys::{Vault, VaultError},
    seal::{Broken, KeyPlace, seal_key},
    system,
};
use crate::{
    audit::{
        Action,
        operator::{self, Subject},
    },
    db::{Database, DbError, Reason, SystemTx},
};

/// Keys that one transaction seals again: some 20 ms, for which their rows are locked.
const BATCH: i32 = 500;

/// How often rows that others hold are asked for again before a rotation gives up: with [`PAUSE`], half a minute, as long as a
/// transaction of a request may wait for its client.
const PATIENCE: u32 = 300;

/// Between two looks at rows that others hold.
const PAUSE: Duration = Duration::from_millis(100);

/// A key-encryption key and what it seals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyState {
    /// Its id.
    pub id: String,
    /// Since when the database knows it.
    pub since: DateTime<Utc>,
    /// When it was retired.
    pub retired: Option<DateTime<Utc>>,
    /// Whether the ring has it.
    pub is_in_ring: bool,
    /// Whether it is the one that seals.
    pub is_newest: bool,
    /// Keys of tenants, users and the system under it.
    pub seals: i64,
}

impl KeyState {
    /// Whole days since the database knows it.
    #[must_use]
    pub fn age_days(&self, now: DateTime<Utc>) -> i64 {
        (now - self.since).num_days()
    }

    /// The warning that a key which seals and is past its time deserves, in every place that speaks of keys.
    #[must_use]
    pub fn warning(&self, now: DateTime<Utc>) -> Option<String> {
        let (id, days) = (&self.id, self.age_days(now));
        (self.is_newest && days > MAX_AGE_DAYS).then(|| {
            format!(
                "key {id} has sealed for {days} days, and {MAX_AGE_DAYS} are enough: put a new key in front and rotate"
            )
        })
    }
}

/// How far a rotation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Keys sealed again.
    pub done: i64,
    /// Keys that were under an older key when it began.
    pub total: i64,
}

/// All keys that the database knows, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(database: &Database, vault: &Vault) -> Result<Vec<KeyState>, VaultError> {
    let ring = vault.ring();
    let mut tx = database.system(Reason::Keys).await?;
    let rows = sqlx::query!(
        r#"SELECT k.key_id AS "id!", k.created_at AS "since!", k.retired_at AS retired,
             coalesce(u.tenants + u.users + u.system_keys, 0) AS "seals!"
           FROM app.keyring() k LEFT JOIN app.key_uses() u ON u.key_id = k.key_id ORDER BY k.created_at, k.key_id"#
    )
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    let state = |id: String, since, retired, seals| KeyState {
        is_in_ring: ring.find(&id).is_some(),
        is_newest: ring.newest().id.as_str() == id,
        id,
        since,
        retired,
        seals,
    };
    Ok(rows.into_iter().map(|row| state(row.id, row.since, row.retired, row.seals)).collect())
}

/// Seals every key that is under an older key again, under the newest. Killed, it goes on where it was when it is called again;
/// others read and write meanwhile. A key that does not open is passed over.
///
/// # Errors
/// [`VaultError::Broken`] names the first key that does not open, after all others were sealed; [`DbError::Busy`] when others held
/// rows for too long.
pub async fn rotate(
    database: &Database,
    vault: &Vault,
    mut report: impl FnMut(Progress),
) -> Result<Progress, VaultError> {
    let ring = vault.ring();
    let mut progress = Progress { done: 0, total: under_older(database, vault).await? };
    let (mut patience, mut broken) = (PATIENCE, None);
    report(progress);
    loop {
        let sealed = reseal(database, vault, ring.newest(), Whose::Tenants, &mut broken).await?
            + reseal(database, vault, ring.newest(), Whose::Users, &mut broken).await?
            + reseal_system(database, &ring).await?;
        progress.done += sealed;
        progress.total = progress.total.max(progress.done);
        report(progress);
        if sealed == 0 {
            if let Some(broken) = broken {
                return Err(broken.into());
            }
            // Rows that others hold were passed over.
            match under_older(database, vault).await? {
                0 => return Ok(progress),
                _ if patience == 0 => return Err(DbError::Busy.into()),
                _ => patience -= 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn under_older(database: &Database, vault: &Vault) -> Result<i64, VaultError> {
    let states = list(database, vault).await?;
    Ok(states.iter().filter(|state| !state.is_newest).map(|state| state.seals).sum())
}

/// A key of a tenant or a user, locked until the transaction ends.
struct SealedRow {
    id: Uuid,
    key_id: String,
    sealed: Vec<u8>,
}

/// Whose keys are under key-encryption keys, besides the system's.
#[derive(Clone, Copy)]
enum Whose {
    Tenants,
    Users,
}

/// Seals a batch of keys again; returns how many. The first of them that does not open is left in `broken`.
async fn reseal(
    database: &Database,
    vault: &Vault,
    newest: &Kek,
    whose: Whose,
    broken: &mut Option<Broken>,
) -> Result<i64, VaultError> {
    let mut tx = database.system(Reason::Keys).await?;
    let id = newest.id.as_str();
    let (mut ids, mut sealed) = (Vec::new(), Vec::new());
    for row in older(&mut tx, id, whose).await? {
        let place = match whose {
            Whose::Tenants => KeyPlace::Tenant(row.id),
            Whose::Users => KeyPlace::GlobalUser(row.id),
        };
        match vault.open_under(tx.conn(), &row.key_id, place, &row.sealed).await {
            Ok(key) => {
                ids.push(row.id);
                sealed.push(seal_key(&newest.key, place, &key)?);
            }
            Err(VaultError::Broken(error)) => _ = broken.get_or_insert(error),
            Err(error) => return Err(error),
        }
    }
    if ids.is_empty() {
        return Ok(0);
    }
    record_rotation(&mut tx, newest).await?;
    let done = match whose {
        Whose::Tenants => {
            sqlx::query_scalar!(r#"SELECT app.tenant_keys_reseal($1, $2, $3) AS "done!""#, &ids, id, &sealed)
                .fetch_one(tx.conn())
                .await
        }
        Whose::Users => {
            sqlx::query_scalar!(r#"SELECT app.user_keys_reseal($1, $2, $3) AS "done!""#, &ids, id, &sealed)
                .fetch_one(tx.conn())
                .await
        }
    };
    let done = done.map_err(DbError::from)?;
    tx.commit().await?;
    Ok(done)
}

/// A batch of keys that are not under the newest key-encryption key, locked.
async fn older(tx: &mut SystemTx, newest: &str, whose: Whose) -> Result<Vec<SealedRow>, DbError> {
    let rows = match whose {
        Whose::Tenants => {
            sqlx::query_as!(
                SealedRow,
                r#"SELECT id AS "id!", key_id AS "key_id!", sealed_key AS "sealed!" FROM app.tenant_keys_not_under($1, $2)"#,
                newest,
                BATCH,
            )
            .fetch_all(tx.conn())
            .await
        }
        Whose::Users => {
            sqlx::query_as!(
                SealedRow,
                r#"SELECT id AS "id!", key_id AS "key_id!", sealed_key AS "sealed!" FROM app.user_keys_not_under($1, $2)"#,
                newest,
                BATCH,
            )
            .fetch_all(tx.conn())
            .await
        }
    };
    Ok(rows?)
}

/// System keys are five, so all of them at once.
async fn reseal_system(database: &Database, ring: &Keyring) -> Result<i64, VaultError> {
    let mut tx = database.system(Reason::Keys).await?;
    let newest = ring.newest();
    let mut old_keys = system::sealed(tx.conn()).await?;
    old_keys.retain(|key| key.key_id != newest.id.as_str());
    if old_keys.is_empty() {
        return Ok(0);
    }
    record_rotation(&mut tx, newest).await?;
    let mut done = 0;
    for old in old_keys {
        let sealed = seal_key(&newest.key, old.purpose.place(old.version), &old.open(ring)?)?;
        let changed = sqlx::query_scalar!(
            r#"SELECT app.system_key_reseal($1, $2, $3, $4, $5) AS "changed!""#,
            old.purpose as i16,
            old.version,
            old.sealed,
            newest.id.as_str(),
            sealed,
        )
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
        done += i64::from(changed);
    }
    tx.commit().await?;
    Ok(done)
}

/// Each transaction of a rotation has its own event, so that none is kept without one.
async fn record_rotation(tx: &mut SystemTx, newest: &Kek) -> Result<(), DbError> {
    operator::record(tx, Action::RotateKeys, Subject::Key(&newest.id)).await.map(drop)
}

/// Marks a key as retired: from then on nothing can be sealed under it, and the ring may drop it.
///
/// # Errors
/// [`KeyringError::InUse`] while anything is sealed under it, [`KeyringError::Newest`], [`KeyringError::Unknown`].
pub async fn retire(database: &Database, vault: &Vault, id: &KeyId) -> Result<(), VaultError> {
    let states = list(database, vault).await?;
    let state =
        states.iter().find(|state| state.id == id.as_str()).ok_or_else(|| KeyringError::Unknown { id: id.clone() })?;
    if state.is_newest {
        return Err(KeyringError::Newest { id: id.clone() }.into());
    }
    if state.seals > 0 {
        return Err(KeyringError::InUse { id: id.clone(), sealed: state.seals }.into());
    }
    let mut tx = database.system(Reason::Keys).await?;
    operator::record(&mut tx, Action::RetireKey, Subject::Key(id)).await?;
    // The database looks again: what is sealed refers to its key.
    sqlx::query_scalar!("SELECT app.keyring_retire($1)", id.as_str()).fetch_one(tx.conn()).await.map_err(|error| {
        match DbError::from(error) {
            DbError::Refused { code, .. } if code == "23503" => {
                VaultError::from(KeyringError::InUse { id: id.clone(), sealed: 1 })
            }
            error => error.into(),
        }
    })?;
    Ok(tx.commit().await?)
}
