//! A connection with a transaction on it, and how statements run there.
//!
//! Invariant: a connection goes back to the pool only after its transaction has ended. One whose transaction was given up, even while
//! it began, is rolled back first, one that only read is ended first, and it is closed if that fails.

use std::{fmt, time::Duration};

use futures::{future::BoxFuture, stream::BoxStream};
use sqlx::{
    Describe, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr,
    error::BoxDynError,
    pool::PoolConnection,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::{runtime::Handle, time::timeout};

use super::DbError;

/// How long a given-up statement, or the end of what only read, may take before its connection is closed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

const ROLLBACK: &str = "ROLLBACK";
/// Where nobody knows whether the server has begun, or has ended already: outside of a transaction PostgreSQL would warn of the bare
/// statement, and an operator would look for a fault. Refused inside of one in which a statement failed.
const ROLLBACK_IF_OPEN: &str = "SET LOCAL client_min_messages = error; ROLLBACK";

/// A transaction that has begun, or is about to.
pub(super) struct Open {
    /// Gone only while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    /// What ends it when it is dropped; nothing once it has ended.
    end: Option<&'static str>,
    prepared: bool,
}

impl Open {
    /// Takes a connection and begins. The guard is there before the statement is sent.
    pub(super) async fn begin(pool: &PgPool, prepared: bool, begin: &'static str) -> Result<Self, Error> {
        let mut open = Self { connection: Some(pool.acquire().await?), end: Some(ROLLBACK_IF_OPEN), prepared };
        open.session().execute(begin).await?;
        open.end = Some(ROLLBACK);
        Ok(open)
    }

    pub(super) async fn commit(self, commit: &'static str) -> Result<(), DbError> {
        self.end(commit).await
    }

    /// Ends what only read, and nobody waits for it: it changed nothing and holds no row, so there is nothing to be told. A quarter of
    /// a read's round trips.
    pub(super) fn leave(mut self) {
        self.end = Some("COMMIT");
    }

    pub(super) async fn rollback(self) -> Result<(), DbError> {
        self.end(ROLLBACK).await
    }

    /// Ends it and waits for that.
    async fn end(mut self, statement: &'static str) -> Result<(), DbError> {
        self.end = Some(ROLLBACK_IF_OPEN);
        self.session().execute(statement).await?;
        self.end = None;
        Ok(())
    }

    #[expect(clippy::expect_used, reason = "only drop takes the connection")]
    pub(super) fn session(&mut self) -> Session<'_> {
        Session { connection: self.connection.as_mut().expect("a connection until drop"), prepared: self.prepared }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(mut connection), Some(end)) = (self.connection.take(), self.end) else { return };
        let Ok(runtime) = Handle::try_current() else {
            // Where nothing can be waited for any more, closing ends the transaction; the pool would look for a runtime too.
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            // Waits for what is under way first.
            let ended = timeout(END_TIMEOUT, async {
                if connection.execute(end).await.is_err() {
                    connection.execute(ROLLBACK).await?;
                }
                Ok::<_, Error>(())
            });
            if !matches!(ended.await, Ok(Ok(()))) {
                connection.close_on_drop();
            }
        });
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Open")
    }
}

/// Where statements of a transaction run. Behind a pooler every statement is unnamed, whatever its query says: the next
/// transaction may find itself on another session of the server, which has not seen it.
pub struct Session<'c> {
    connection: &'c mut PgConnection,
    prepared: bool,
}

impl<'c> Executor<'c> for Session<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_many(Statement { query, prepared: self.prepared })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_optional(Statement { query, prepared: self.prepared })
    }

    fn prepare_with<'e>(self, sql: SqlStr, types: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, types)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session")
    }
}

/// A query that is kept prepared only where that is allowed.
struct Statement<E> {
    query: E,
    prepared: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Statement<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.prepared && self.query.persistent()
    }
}
