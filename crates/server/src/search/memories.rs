//! What is remembered of calls, open and in memory, for searches that look at all of it. Its one invariant: each search asks the database
//! which calls its caller sees and in which version, and is shown these and no others; what is gone or has changed is dropped on the way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use insight::search::memory::Memory;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    artifacts::{self, Artifact},
    db::{Access, DbError, TenantTx},
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Calls that are looked at: the newest ones, as many as for a word that everybody says.
const MOST: i64 = 20_000;

/// Bytes of all tenants together. A call of half an hour takes 30 kB.
const BYTES: usize = 256 << 20;

/// Bytes that a call takes beside its memory: key, version, map, allocation.
const OVERHEAD: usize = 128;

/// Calls that are opened at once: 3 MB of half hours, 150 MB of the longest that there are.
const BATCH: usize = 100;

/// How long the memories of a tenant that nobody searches stay: they are content.
const IDLE: Duration = Duration::from_mins(15);

/// What is remembered of a call.
pub(super) type Remembered = Memory<Zeroizing<Vec<u8>>>;

/// What the database says about one.
struct Listed {
    call: Uuid,
    version: DateTime<Utc>,
}

struct Kept {
    owner: Uuid,
    version: DateTime<Utc>,
    memory: Arc<Remembered>,
}

impl Kept {
    fn size(&self) -> usize {
        self.memory.size() + OVERHEAD
    }
}

struct Tenant {
    calls: HashMap<Uuid, Kept>,
    used: Instant,
}

/// The memories of all tenants that were searched lately.
#[derive(Default)]
pub struct Memories {
    tenants: Mutex<HashMap<Uuid, Tenant>>,
}

impl Memories {
    /// What the caller sees, the newest first; as much as fits into memory.
    pub(super) async fn look<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        vault: &Vault,
    ) -> Result<Vec<(Uuid, Arc<Remembered>)>, VaultError> {
        let (tenant, sees_only) = (tx.scope().tenant(), tx.scope().sees_only());
        let listed = listed(tx).await?;
        let lacking = self.refresh((tenant, sees_only), &listed);
        for calls in lacking.chunks(BATCH) {
            if !self.has_room(tenant) {
                break;
            }
            let opened = open(tx, vault, calls).await?;
            self.keep(tenant, opened);
        }
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tenant) = tenants.get(&tenant) else { return Ok(Vec::new()) };
        let of = |listed: &Listed| Some((listed.call, Arc::clone(&tenant.calls.get(&listed.call)?.memory)));
        Ok(listed.iter().filter_map(of).collect())
    }

    /// Drops what the caller would see and does not, or in another version, and says what is lacking.
    fn refresh(&self, (tenant, sees_only): (Uuid, Option<Uuid>), listed: &[Listed]) -> Vec<Uuid> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = tenants.entry(tenant).or_insert_with(|| Tenant { calls: HashMap::new(), used: Instant::now() });
        kept.used = Instant::now();
        let current: HashMap<Uuid, DateTime<Utc>> = listed.iter().map(|one| (one.call, one.version)).collect();
        kept.calls.retain(|call, kept| {
            let is_in_sight = sees_only.is_none_or(|owner| owner == kept.owner);
            !is_in_sight || current.get(call) == Some(&kept.version)
        });
        listed.iter().map(|one| one.call).filter(|call| !kept.calls.contains_key(call)).collect()
    }

    /// Whether a tenant may have more, once the others that waited longest have made room.
    fn has_room(&self, tenant: Uuid) -> bool {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |tenant: &Tenant| tenant.calls.values().map(Kept::size).sum::<usize>();
        let mut all: usize = tenants.values().map(size).sum();
        while all >= BYTES {
            let others = tenants.iter().filter(|(id, _)| **id != tenant);
            let Some(oldest) = others.min_by_key(|(_, other)| other.used).map(|(id, _)| *id) else { return false };
            all -= tenants.remove(&oldest).as_ref().map_or(0, size);
        }
        true
    }

    fn keep(&self, tenant: Uuid, opened: Vec<(Uuid, Kept)>) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = tenants.entry(tenant).or_insert_with(|| Tenant { calls: HashMap::new(), used: Instant::now() });
        kept.calls.extend(opened);
    }

    /// Drops the memories of tenants that nobody has searched lately.
    pub(crate) fn drop_idle(&self) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, tenant| tenant.used.elapsed() < IDLE);
    }

    /// How many calls are in memory.
    pub fn calls(&self) -> usize {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.values().map(|tenant| tenant.calls.len()).sum()
    }
}

/// Opens what is remembered of these calls. What was tampered with, or is of another program, is left out: it is no reason to find nothing.
async fn open<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, calls: &[Uuid]) -> Result<Vec<(Uuid, Kept)>, VaultError> {
    let keys = vault.record_keys(tx, RecordKind::Call, calls).await?;
    let sealed = artifacts::among(tx, calls, Artifact::SearchMemory).await?;
    let opened = spawn_blocking(move || {
        let open = |one: artifacts::Sealed| {
            let bytes = one.open(Artifact::SearchMemory, keys.get(&one.call)?).ok()?;
            let memory = Arc::new(Memory::read(bytes)?);
            Some((one.call, Kept { owner: one.owner, version: one.version, memory }))
        };
        sealed.into_iter().filter_map(open).collect()
    });
    Ok(opened.await.map_err(|_| DbError::Unexpected)?)
}

async fn listed<A: Access>(tx: &mut TenantTx<A>) -> Result<Vec<Listed>, DbError> {
    let tenant = tx.scope().tenant();
    let listed = match tx.scope().sees_only() {
        Some(owner) => {
            let own = sqlx::query_file_as!(Listed, "src/search/memories_own.sql", tenant, MOST, owner);
            own.fetch_all(tx.conn()).await
        }
        None => sqlx::query_file_as!(Listed, "src/search/memories.sql", tenant, MOST).fetch_all(tx.conn()).await,
    };
    Ok(listed?)
}
