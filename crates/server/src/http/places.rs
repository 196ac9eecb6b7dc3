//! Places for what lasts long: to watch a call, to play a recording, to download an export. Its one invariant: a user has no more of them
//! than their share, the users of a tenant together no more than its share, and what was taken is given back when it is dropped; so one
//! tenant cannot take what others need.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use api::error::ErrorCode;
use uuid::Uuid;

use crate::{
    db::Scope,
    error::{ApiError, ApiResult},
};

/// How many places there are in this process, and how much of them is whose.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Of one user.
    pub user: usize,
    /// Of all users of a tenant together: less than all, so that others come in.
    pub tenant: usize,
    /// Of everybody.
    pub all: usize,
    /// Seconds after which it is worth asking again.
    pub retry_after: u32,
}

/// What is said to somebody for whom there is none, and what to do about it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Where the user has their share.
    pub user: &'static str,
    /// Where the tenant has its share.
    pub tenant: &'static str,
    /// Where there is none left.
    pub all: &'static str,
}

/// Who has how many.
#[derive(Clone)]
pub struct Places {
    shares: Shares,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    users: HashMap<Uuid, usize>,
    tenants: HashMap<Uuid, usize>,
    all: usize,
}

impl Places {
    /// So many, all of them free.
    #[must_use]
    pub fn new(shares: Shares) -> Self {
        Self { shares, taken: Arc::default() }
    }

    /// A place for one more.
    ///
    /// # Errors
    /// `rate_limited` when the user or the tenant has its share, `unavailable` when there is none left for anybody.
    pub fn take(&self, scope: &Scope, told: Told) -> ApiResult<Place> {
        let (shares, mut taken) = (self.shares, self.taken());
        let of = |all: &HashMap<Uuid, usize>, id| all.get(&id).copied().unwrap_or_default();
        let (code, message) = match () {
            () if of(&taken.users, scope.user()) >= shares.user => (ErrorCode::RateLimited, told.user),
            () if of(&taken.tenants, scope.tenant()) >= shares.tenant => (ErrorCode::RateLimited, told.tenant),
            () if taken.all >= shares.all => (ErrorCode::Unavailable, told.all),
            () => {
                *taken.users.entry(scope.user()).or_default() += 1;
                *taken.tenants.entry(scope.tenant()).or_default() += 1;
                taken.all += 1;
                return Ok(Place { places: self.clone(), user: scope.user(), tenant: scope.tenant() });
            }
        };
        Err(ApiError::new(code, message).retry_after(shares.retry_after))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that somebody has, given back when it is dropped.
#[must_use]
pub struct Place {
    places: Places,
    user: Uuid,
    tenant: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        give_back(&mut taken.users, self.user);
        give_back(&mut taken.tenants, self.tenant);
    }
}

/// Who has none is not remembered.
fn give_back(all: &mut HashMap<Uuid, usize>, id: Uuid) {
    if let Some(count) = all.get_mut(&id) {
        *count -= 1;
        if *count == 0 {
            all.remove(&id);
        }
    }
}
