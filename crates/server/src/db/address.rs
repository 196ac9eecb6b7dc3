//! Where a database is, and whether the way there is safe.
//!
//! Invariant: an [`Address`] leads over a local socket or over TLS that proves who answers, unless a developer allowed otherwise.

use std::{fmt, path::Path, str::FromStr};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::StartError;

/// Statements that a connection keeps prepared when nothing stands between the program and the server.
const PREPARED_STATEMENTS: usize = 128;

/// What the way to a database over TCP needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// `sslmode=verify-full`.
    Required,
    /// Anything, plaintext included: for a developer's machine.
    Optional,
}

/// Where a database is, with the credentials to it; it does not show them.
#[derive(Clone)]
pub struct Address {
    pub(super) options: PgConnectOptions,
    /// Whether statements may be kept prepared from one transaction to the next.
    pub(super) prepared: bool,
}

impl Address {
    /// Reads `postgres://…`. Statements are not kept prepared, so that a transaction-mode pooler may stand in between;
    /// `statement-cache-capacity=128` in the address keeps them where none does.
    pub fn parse(url: &str, tls: Tls) -> Result<Self, StartError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(StartError::Address);
        }
        let mut options = PgConnectOptions::from_str(url).map_err(|_| StartError::Address)?;
        let prepared = url.contains("statement-cache-capacity=") && !url.contains("statement-cache-capacity=0");
        if !prepared {
            options = options.statement_cache_capacity(0);
        }
        let is_local = options.get_socket().is_some() || options.get_host().starts_with('/');
        let mode = options.get_ssl_mode();
        if tls == Tls::Required && !is_local && !matches!(mode, PgSslMode::VerifyFull) {
            return Err(StartError::Tls(name(mode).to_owned(), options.get_host().to_owned()));
        }
        Ok(Self::new(options, prepared))
    }

    /// A server on this machine, by the directory of its socket.
    pub(crate) fn local(socket: &Path, login: &str, database: &str) -> Self {
        let options =
            PgConnectOptions::new_without_pgpass().socket(socket).port(5432).username(login).database(database);
        Self::new(options.ssl_mode(PgSslMode::Disable).statement_cache_capacity(PREPARED_STATEMENTS), true)
    }

    fn new(options: PgConnectOptions, prepared: bool) -> Self {
        // A pooler refuses start-up parameters that it does not know; version 12 and later are exact without this one.
        let options = options.extra_float_digits(None).application_name("subrosa").disable_statement_logging();
        Self { options, prepared }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Address")
    }
}

fn name(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}
