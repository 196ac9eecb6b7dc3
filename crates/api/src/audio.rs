//! Recordings that a tenant keeps.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which recording of a call to play.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AudioQuery {
    /// Whether what was redacted is silent; `false` asks for what was uploaded.
    #[serde(default = "yes")]
    #[param(default = true)]
    pub redacted: bool,
}

fn yes() -> bool {
    true
}
