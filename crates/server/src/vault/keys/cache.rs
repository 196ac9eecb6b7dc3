//! The last tenants' keys, open, so that a request costs no decryption of its tenant's key. Its one invariant: at most
//! [`CAPACITY`] keys are held, each is wiped [`LIFETIME`] after it was opened, whether somebody asks for it or not, and one that was
//! forgotten does not come back by a request that read it before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::Handle;
use uuid::Uuid;

use crate::vault::key::Key;

/// Keys: 32 KiB of secrets, the tenants of a busy minute.
const CAPACITY: usize = 1024;

/// How long a key is kept after it was opened: a deleted tenant's key leaves every program within a minute.
const LIFETIME: Duration = Duration::from_secs(60);

/// Open keys by tenant, each with when it was opened; of one that was forgotten, when that was: who read it before may still put it.
type Opened = HashMap<Uuid, (Instant, Option<Arc<Key>>)>;

#[derive(Clone, Default)]
pub(super) struct TenantKeys(Arc<Mutex<Opened>>);

impl TenantKeys {
    pub(super) fn get(&self, tenant: Uuid) -> Option<Arc<Key>> {
        let keys = self.lock();
        let (opened, key) = keys.get(&tenant)?;
        key.as_ref().filter(|_| opened.elapsed() < LIFETIME).map(Arc::clone)
    }

    pub(super) fn put(&self, tenant: Uuid, key: Arc<Key>) {
        self.insert(tenant, Some(key));
    }

    pub(super) fn forget(&self, tenant: Uuid) {
        self.insert(tenant, None);
    }

    fn insert(&self, tenant: Uuid, key: Option<Arc<Key>>) {
        let now = Instant::now();
        let mut keys = self.lock();
        keys.retain(|_, (opened, _)| now.duration_since(*opened) < LIFETIME);
        if key.is_some() && keys.get(&tenant).is_some_and(|(_, held)| held.is_none()) {
            return;
        }
        if keys.len() >= CAPACITY && !keys.contains_key(&tenant) {
            // More tenants than fit within a minute: which of them goes matters little, but for those that were deleted.
            let any = keys.iter().find(|(_, (_, held))| held.is_some()).or_else(|| keys.iter().next());
            let any = any.map(|(tenant, _)| *tenant);
            any.map(|tenant| keys.remove(&tenant));
        }
        // One that sweeps is enough, and it goes on until nothing is left.
        if keys.is_empty()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(self.clone().sweep());
        }
        keys.insert(tenant, (now, key));
    }

    /// Removes keys as their time comes, until there are none.
    async fn sweep(self) {
        while let Some(opened) = self.oldest() {
            tokio::time::sleep_until((opened + LIFETIME).into()).await;
            self.expire(Instant::now());
        }
    }

    fn oldest(&self) -> Option<Instant> {
        self.lock().values().map(|(opened, _)| *opened).min()
    }

    fn expire(&self, now: Instant) {
        self.lock().retain(|_, (opened, _)| now.duration_since(*opened) < LIFETIME);
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Arc<Key> {
        Arc::new(Key::copy_of(&[1; 32]))
    }

    #[test]
    fn more_tenants_than_fit_push_others_out() {
        let keys = TenantKeys::default();
        let last = Uuid::from_u128(5000);
        (0..=5000).for_each(|id| keys.put(Uuid::from_u128(id), key()));
        assert_eq!(keys.lock().len(), CAPACITY);
        assert!(keys.get(last).is_some());
    }

    #[test]
    fn a_key_is_wiped_when_it_is_forgotten_and_when_its_time_is_over() {
        let keys = TenantKeys::default();
        let (one, two, held) = (Uuid::from_u128(1), Uuid::from_u128(2), key());
        keys.put(one, Arc::clone(&held));
        keys.forget(one);
        assert!(keys.get(one).is_none());
        keys.put(two, Arc::clone(&held));
        keys.expire(Instant::now());
        assert!(keys.get(two).is_some());
        keys.expire(Instant::now() + LIFETIME);
        assert!(keys.get(two).is_none());
        assert_eq!(Arc::strong_count(&held), 1, "nobody but the test holds it");
    }

    #[test]
    fn a_request_that_read_a_key_before_it_was_forgotten_does_not_bring_it_back() {
        let keys = TenantKeys::default();
        let (deleted, late) = (Uuid::from_u128(1), key());
        keys.forget(deleted);
        keys.put(deleted, Arc::clone(&late));
        // Nor do others who fill the room.
        (2..=5000).for_each(|id| keys.put(Uuid::from_u128(id), key()));
        keys.put(deleted, Arc::clone(&late));
        assert!(keys.get(deleted).is_none());
        assert_eq!((Arc::strong_count(&late), keys.lock().len()), (1, CAPACITY));
        keys.expire(Instant::now() + LIFETIME);
        assert!(keys.lock().is_empty());
    }
}
