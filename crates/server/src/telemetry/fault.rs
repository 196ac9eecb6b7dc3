//! Failures, as they may be told.
//!
//! Invariant: what a dependency said is not in it, because that may quote what a request held: a sentence of the program, and where there
//! is one the code of the database (SQLSTATE), of the system or of an id. Errors of the program say which by `From`, in their own files.

use std::{fmt, io};

use uuid::Uuid;

/// A failure; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    what: &'static str,
    code: Option<Code>,
}

/// What is known beside the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Of PostgreSQL.
    Sqlstate(Sqlstate),
    /// Of the operating system.
    Io(io::ErrorKind),
    /// Whose.
    Of(Uuid),
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlstate(code) => write!(formatter, "SQLSTATE {code}"),
            Self::Io(kind) => kind.fmt(formatter),
            Self::Of(id) => id.fmt(formatter),
        }
    }
}

/// Five letters and digits (SQL:2023, part 2, 24.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sqlstate([u8; 5]);

impl Sqlstate {
    /// The code, if it is one.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 5] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(bytes))
    }
}

impl fmt::Display for Sqlstate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.0).unwrap_or("?????"))
    }
}

impl Fault {
    /// A failure with a code.
    #[must_use]
    pub fn new(what: &'static str, code: Option<Code>) -> Self {
        Self { what, code }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(formatter, "{} ({code})", self.what),
            None => formatter.write_str(self.what),
        }
    }
}

impl From<&'static str> for Fault {
    fn from(what: &'static str) -> Self {
        Self::new(what, None)
    }
}

impl From<io::ErrorKind> for Fault {
    fn from(kind: io::ErrorKind) -> Self {
        Self::new("the system failed", Some(Code::Io(kind)))
    }
}

/// Failures of dependencies, whose own words are not told.
macro_rules! foreign {
    ($($error:ty => $what:literal,)*) => {$(
        impl From<&$error> for Fault {
            fn from(_: &$error) -> Self {
                $what.into()
            }
        }
    )*};
}

foreign! {
    tokio::task::JoinError => "a task panicked or was cancelled",
    tokio::sync::AcquireError => "a semaphore was closed",
    serde_json::Error => "a value has no JSON, or another one",
    axum::Error => "an event could not be made",
    axum::http::header::InvalidHeaderValue => "a header could not be made",
    insight::redact::Unfinished => "redaction came to no end",
    opentelemetry_sdk::error::OTelSdkError => "the collector of traces did not take them",
}
