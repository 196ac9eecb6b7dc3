//! Stands in for the native segmentation network on platforms that have none: it cannot be made, so rten always runs.

use super::segmentation::Classes;
use crate::net::Net;

/// No value of this type exists.
pub(super) enum PyanNet {}

impl PyanNet {
    /// None.
    pub(super) const BATCH: usize = 0;

    /// There is none.
    pub(super) fn read(_net: &Net) -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub(super) fn run(&self, _stretch: &[f32], _starts: &[usize]) -> Vec<Vec<Classes>> {
        match *self {}
    }
}
