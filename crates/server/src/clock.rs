//! What time it is. Tests move it; what must hold whatever a machine's clock says is decided by the database's.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

/// Where the time comes from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Moved(Arc<std::sync::Mutex<TimeDelta>>),
}

impl Clock {
    /// A clock that a test moves; it runs on from there.
    #[must_use]
    pub fn movable() -> Self {
        Self(Source::Moved(Arc::default()))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now(),
            Source::Moved(by) => Utc::now() + *by.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// Moves a movable clock forward; the system's cannot be moved.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Moved(moved) = &self.0 {
            *moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
        }
    }
}
