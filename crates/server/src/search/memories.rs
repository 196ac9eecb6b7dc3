//! What is remembered of calls, for searches that look at all of it. Its one invariant: each search asks the database which calls its caller
//! sees and in which version, and is shown these and no others; no transaction is open while they are decrypted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use insight::search::memory::Memory;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::kept::{BATCH_BYTES, Cache, Kept, Listed, Seen, Viewer};
use crate::{
    app::App,
    artifacts::{self, Artifact},
    db::{DbError, Scope},
    vault::{keys::VaultError, seal::RecordKind},
};

/// Calls that are looked at: the newest ones, as many as for a word that everybody says.
const MOST: i64 = 20_000;

/// Calls that are asked for at once.
const BATCH: usize = 250;

/// The memories of all tenants that were searched lately.
#[derive(Default)]
pub struct Memories {
    kept: Mutex<Cache>,
    /// Held by the search that opens what is lacking of a tenant: others wait for it, and open nothing twice.
    openers: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>,
}

impl Memories {
    fn kept(&self) -> MutexGuard<'_, Cache> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh(&self, viewer: Viewer, listed: &[Listed], now: Instant) -> Vec<Uuid> {
        let (lacking, gone) = self.kept().refresh(viewer, listed, now);
        discard(gone);
        lacking
    }

    fn opener(&self, tenant: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut openers = self.openers.lock().unwrap_or_else(PoisonError::into_inner);
        // So there are no more than searches under way.
        openers.retain(|_, opener| Arc::strong_count(opener) > 1);
        Arc::clone(openers.entry(tenant).or_default())
    }

    /// Drops a call that was deleted, or all of a tenant.
    pub(crate) fn forget(&self, tenant: Uuid, call: Option<Uuid>) {
        let gone = self.kept().forget(tenant, call);
        discard(gone);
    }

    /// Drops what nobody who sees it has looked at lately: of calls that others deleted nobody says so here.
    pub(crate) fn drop_idle(&self) {
        let gone = self.kept().idle(Instant::now());
        discard(gone);
    }

    /// How many calls are in memory.
    pub fn calls(&self) -> usize {
        self.kept().calls()
    }
}

/// Drops on a thread that may be busy: bytes are overwritten.
fn discard(gone: Vec<Kept>) {
    if !gone.is_empty() {
        drop(spawn_blocking(move || drop(gone)));
    }
}

/// What the caller sees, the newest first; as much as fits into memory. No transaction is to be open.
pub(super) async fn look(app: &App, scope: &Scope) -> Result<Seen, VaultError> {
    let (memories, viewer, now) = (&app.search.memories, (scope.tenant(), scope.sees_only()), Instant::now());
    let mut listed = list(app, scope).await?;
    if !memories.refresh(viewer, &listed, now).is_empty() {
        let opener = memories.opener(scope.tenant());
        let _turn = opener.lock().await;
        // Somebody else may have opened them by now.
        let lacking = memories.refresh(viewer, &listed, now);
        open(app, scope, (&lacking, now)).await?;
        // That took its time: what was deleted since is not looked at.
        listed = list(app, scope).await?;
    }
    Ok(memories.kept().among(scope.tenant(), &listed))
}

/// Opens what is remembered of these calls. What was tampered with, or is of another program, is kept as nothing: it is no reason to find
/// nothing.
async fn open(app: &App, scope: &Scope, (mut calls, now): (&[Uuid], Instant)) -> Result<(), VaultError> {
    while let Some(first) = calls.first() {
        if !app.search.memories.kept().has_room(*first, now) {
            break;
        }
        let batch = &calls[..calls.len().min(BATCH)];
        let mut tx = app.database.read(scope).await?;
        let keys = app.vault.sound_record_keys(&mut tx, RecordKind::Call, batch).await?;
        let (sealed, asked) = artifacts::among(&mut tx, batch, Artifact::SearchMemory, BATCH_BYTES).await?;
        tx.rollback().await?;
        calls = &calls[asked..];
        let (app, tenant) = (app.clone(), scope.tenant());
        let opened = spawn_blocking(move || {
            let open = |one: artifacts::Sealed| {
                let bytes = keys.get(&one.call).and_then(|key| one.open(Artifact::SearchMemory, key).ok());
                let memory = bytes.and_then(Memory::read).map(Arc::new);
                (one.call, Kept { owner: one.owner, version: one.version, used: now, memory })
            };
            let opened = sealed.into_iter().map(open).collect();
            let gone = app.search.memories.kept().keep(tenant, opened);
            drop(gone);
        });
        opened.await.map_err(|_| DbError::Unexpected)?;
    }
    Ok(())
}

async fn list(app: &App, scope: &Scope) -> Result<Vec<Listed>, DbError> {
    let (mut tx, tenant) = (app.database.read(scope).await?, scope.tenant());
    let listed = match scope.sees_only() {
        Some(owner) => {
            let own = sqlx::query_file_as!(Listed, "src/search/memories_own.sql", tenant, MOST, owner);
            own.fetch_all(tx.conn()).await?
        }
        None => sqlx::query_file_as!(Listed, "src/search/memories.sql", tenant, MOST).fetch_all(tx.conn()).await?,
    };
    tx.rollback().await?;
    Ok(listed)
}
