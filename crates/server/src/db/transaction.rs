//! The transactions that the gate hands out.
//!
//! Invariant: they are made here and in `mod.rs` alone, after the database has verified their context.

use std::marker::PhantomData;

use super::{
    DbError, Reason, Scope,
    session::{Open, Session},
};

/// After a statement that failed, `COMMIT` alone would undo everything and report success; the empty query before it fails instead.
const COMMIT: &str = "SELECT; COMMIT";

/// What a transaction may do; [`Read`] and [`Write`] are all there is.
pub trait Access: sealed::Sealed {
    /// The statement that begins it.
    const BEGIN: &'static str;
    /// What ends it, where somebody has to know that it did.
    const COMMIT: Option<&'static str>;
}

/// The database refuses every change.
#[derive(Debug)]
pub enum Read {}

/// Changes are kept by [`TenantTx::commit`].
#[derive(Debug)]
pub enum Write {}

impl Access for Read {
    const BEGIN: &'static str = "BEGIN READ ONLY";
    const COMMIT: Option<&'static str> = None;
}

impl Access for Write {
    const BEGIN: &'static str = "BEGIN READ WRITE";
    const COMMIT: Option<&'static str> = Some(COMMIT);
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
    open: Open,
    scope: Scope,
    access: PhantomData<A>,
}

impl<A: Access> TenantTx<A> {
    pub(super) fn new(open: Open, scope: Scope) -> Self {
        Self { open, scope, access: PhantomData }
    }

    /// Whose transaction it is.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Where statements run.
    pub fn conn(&mut self) -> Session<'_> {
        self.open.session()
    }

    /// Ends it and keeps what it changed; fails if a statement that may change something failed in it, and then keeps nothing. What
    /// only read ends behind the caller's back.
    pub async fn commit(self) -> Result<(), DbError> {
        match A::COMMIT {
            Some(commit) => self.open.commit(commit).await,
            None => {
                self.open.leave();
                Ok(())
            }
        }
    }

    /// Ends it and undoes what it changed; dropping does the same without waiting.
    pub async fn rollback(self) -> Result<(), DbError> {
        self.open.rollback().await
    }
}

impl TenantTx<Write> {
    /// Commits what was done, or undoes what was refused. Both have ended when it returns, locks included, so that who asks again at
    /// once does not meet this transaction.
    pub async fn end<T, E: From<DbError>>(self, attempted: Result<T, E>) -> Result<T, E> {
        match attempted {
            Ok(done) => self.commit().await.map(|()| done).map_err(E::from),
            Err(refused) => {
                // What broke the connection ended it as well, and why it was refused says more.
                let _ = self.rollback().await;
                Err(refused)
            }
        }
    }
}

/// A transaction across tenants. It sees no row of any; the functions for its reason answer.
#[derive(Debug)]
pub struct SystemTx {
    open: Open,
    reason: Reason,
}

impl SystemTx {
    pub(super) fn new(open: Open, reason: Reason) -> Self {
        Self { open, reason }
    }

    /// Why it was opened.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Where statements run.
    pub fn conn(&mut self) -> Session<'_> {
        self.open.session()
    }

    /// Ends it and keeps what it changed; fails if a statement in it failed, and then keeps nothing.
    pub async fn commit(self) -> Result<(), DbError> {
        self.open.commit(COMMIT).await
    }
}

/// A read-only transaction of the start, without a context: no row can be reached, and only `app.keyring()` and
/// `app.system_keys()` answer.
#[derive(Debug)]
pub struct StartTx {
    open: Open,
}

impl StartTx {
    pub(super) fn new(open: Open) -> Self {
        Self { open }
    }

    /// Where statements run.
    pub fn conn(&mut self) -> Session<'_> {
        self.open.session()
    }
}
