//! What may be told of the program's work: in a line of the log, an attribute of a span, a label of a metric (H8, H9).
//!
//! Invariant: that is a number, an id, a word of the program's own text, the template of a route, a place in its source or a
//! [`Fault`]. A text that came to be while the program ran is none of them and does not compile:
//!
//! ```standalone_crate,no_run
//! use server::telemetry::told::told;
//!
//! told(&17_u64);
//! told(&uuid::Uuid::nil());
//! told(&"a word of the program");
//! ```
//! ```compile_fail,E0277
//! server::telemetry::told::told(&String::from("Ada Lovelace"));
//! ```
//! ```compile_fail,E0597
//! let title = String::from("Ada Lovelace");
//! server::telemetry::told::told(&title.as_str());
//! ```
//! ```compile_fail,E0277
//! server::telemetry::told::told(&format_args!("{}", 1));
//! ```
//! Nor can another module make something tellable:
//! ```compile_fail,E0277
//! struct Title(String);
//! impl server::telemetry::told::Told for Title {
//!     fn told(&self) -> impl tracing::Value + '_ {
//!         self.0.as_str()
//!     }
//! }
//! ```

use std::{panic::Location, sync::Arc};

use axum::extract::MatchedPath;
use opentelemetry_sdk::error::OTelSdkError;
use tracing::{Span, Value, field};
use uuid::Uuid;

use super::fault::Fault;
use crate::{
    db::{DbError, StartError},
    deletion::{DeletionError, blobs::SweepError},
    vault::{blobs::BlobError, keys::VaultError},
};

/// What may be told; see the module.
pub trait Told: sealed::Sealed {
    /// As a field of a line or a span.
    fn told(&self) -> impl Value + '_;
}

mod sealed {
    pub trait Sealed {}
}

/// A field of a line or a span.
pub fn told<T: Told>(value: &T) -> impl Value + '_ {
    value.told()
}

macro_rules! as_they_are {
    ($($kind:ty)*) => {$(
        impl sealed::Sealed for $kind {}
        impl Told for $kind {
            fn told(&self) -> impl Value + '_ {
                *self
            }
        }
    )*};
}

as_they_are!(bool u8 u16 u32 u64 usize i16 i32 i64 f64 &'static str);

macro_rules! printed {
    ($($kind:ty)*) => {$(
        impl sealed::Sealed for $kind {}
        impl Told for $kind {
            fn told(&self) -> impl Value + '_ {
                field::display(self)
            }
        }
    )*};
}

printed!(Uuid Fault Template Operation Location<'_>);

/// Errors, as the faults that they are.
macro_rules! as_faults {
    ($($error:ty)*) => {$(
        impl sealed::Sealed for &$error {}
        impl Told for &$error {
            fn told(&self) -> impl Value + '_ {
                field::display(Fault::from(*self))
            }
        }
    )*};
}

as_faults!(DbError StartError VaultError BlobError SweepError DeletionError OTelSdkError);

/// `/api/calls/{id}`: the template of a route, which only the router makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template(Arc<str>);

impl From<Option<&MatchedPath>> for Template {
    /// What is no route has the template `none`.
    fn from(route: Option<&MatchedPath>) -> Self {
        Self(route.map_or("none", MatchedPath::as_str).into())
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `GET /api/calls/{id}`.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The method.
    pub verb: &'static str,
    /// The route.
    pub template: Template,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.verb, self.template)
    }
}

/// Fills in a field of the current span.
pub fn record(field: &'static str, value: &impl Told) {
    #[expect(clippy::disallowed_methods, reason = "the one place, for what may be told")]
    Span::current().record(field, told(value));
}
