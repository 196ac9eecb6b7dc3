//! Stands in for the native GE2E on platforms that have none: it cannot be made, so rten always runs.

use super::embedding::Embedding;
use crate::net::Net;

/// No value of this type exists.
pub(super) enum Ge2e {}

impl Ge2e {
    /// There is none.
    pub(super) fn read(_net: &Net) -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub(super) fn run(&self, _parts: &[f32]) -> Vec<Embedding> {
        match *self {}
    }
}
