//! Stands in for the native encoder on platforms that have none: it cannot be made, so the engine always encodes.

use std::path::Path;

/// No value of this type exists.
pub(super) enum Encoder {}

impl Encoder {
    /// No.
    pub(super) fn available() -> bool {
        false
    }

    /// There is nothing to load.
    pub(super) fn load(_model: &Path, _bands: usize) -> Result<Option<Self>, String> {
        Ok(None)
    }

    /// Numbers in a state.
    pub(super) fn size(&self) -> usize {
        match *self {}
    }

    /// Cannot be called.
    pub(super) fn encode(&self, _features: &[f32]) -> Vec<f32> {
        match *self {}
    }
}
