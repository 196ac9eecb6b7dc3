//! The transactions that the gate hands out.
//!
//! Invariant: they are made here and in `mod.rs` alone, after the database has verified their context.

use std::marker::PhantomData;

use sqlx::{PgConnection, Postgres, Transaction};

use super::{DbError, Reason, Scope};

/// What a transaction may do; [`Read`] and [`Write`] are all there is.
pub trait Access: sealed::Sealed {
    /// The statement that begins it.
    const BEGIN: &'static str;
}

/// The database refuses every change.
#[derive(Debug)]
pub enum Read {}

/// Changes are kept by [`TenantTx::commit`].
#[derive(Debug)]
pub enum Write {}

impl Access for Read {
    const BEGIN: &'static str = "BEGIN READ ONLY";
}

impl Access for Write {
    const BEGIN: &'static str = "BEGIN READ WRITE";
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Read {}
    impl Sealed for super::Write {}
}

/// A transaction that sees one tenant's rows: all of them, or its user's, by role. Dropped, it leaves nothing behind: no change, no
/// context.
#[derive(Debug)]
pub struct TenantTx<A: Access> {
    transaction: Transaction<'static, Postgres>,
    scope: Scope,
    access: PhantomData<A>,
}

impl<A: Access> TenantTx<A> {
    pub(super) fn new(transaction: Transaction<'static, Postgres>, scope: Scope) -> Self {
        Self { transaction, scope, access: PhantomData }
    }

    /// Whose transaction it is.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Where statements run.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Ends it and keeps what it changed.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit().await?)
    }

    /// Ends it and undoes what it changed; dropping does the same without waiting.
    pub async fn rollback(self) -> Result<(), DbError> {
        Ok(self.transaction.rollback().await?)
    }
}

/// A transaction across tenants. It sees no row of any; the functions for its reason answer.
#[derive(Debug)]
pub struct SystemTx {
    transaction: Transaction<'static, Postgres>,
    reason: Reason,
}

impl SystemTx {
    pub(super) fn new(transaction: Transaction<'static, Postgres>, reason: Reason) -> Self {
        Self { transaction, reason }
    }

    /// Why it was opened.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Where statements run.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Ends it and keeps what it changed.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit().await?)
    }
}
