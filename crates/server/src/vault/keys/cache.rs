//! The last tenants' keys, open, so that a request costs no decryption of its tenant's key. Its one invariant: at most
//! [`CAPACITY`] keys are held, none longer than [`LIFETIME`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::vault::key::Key;

/// Keys: 32 KiB of secrets, the tenants of a busy minute.
const CAPACITY: usize = 1024;

/// How long a key is kept after it was opened: a deleted tenant's key leaves every program within a minute.
const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct TenantKeys(Mutex<HashMap<Uuid, (Instant, Arc<Key>)>>);

impl TenantKeys {
    pub(super) fn get(&self, tenant: Uuid) -> Option<Arc<Key>> {
        let mut keys = self.lock();
        let (opened, key) = keys.get(&tenant)?;
        if opened.elapsed() < LIFETIME {
            return Some(Arc::clone(key));
        }
        keys.remove(&tenant);
        None
    }

    pub(super) fn put(&self, tenant: Uuid, key: Arc<Key>) {
        let mut keys = self.lock();
        if keys.len() >= CAPACITY {
            keys.retain(|_, (opened, _)| opened.elapsed() < LIFETIME);
        }
        if keys.len() >= CAPACITY {
            // More tenants than fit within a minute: which of them goes matters little.
            let any = keys.keys().next().copied();
            any.map(|tenant| keys.remove(&tenant));
        }
        keys.insert(tenant, (Instant::now(), key));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (Instant, Arc<Key>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tenants_than_fit_push_others_out() {
        let keys = TenantKeys::default();
        let key = Arc::new(Key::copy_of(&[1; 32]));
        let last = Uuid::from_u128(5000);
        (0..=5000).for_each(|id| keys.put(Uuid::from_u128(id), Arc::clone(&key)));
        assert_eq!(keys.lock().len(), CAPACITY);
        assert!(keys.get(last).is_some());
    }
}
