//! Transactions that end badly: dropped in the middle of anything, failed, panicked, cut off by the server. The next one on the same
//! connection starts without a context.

use std::{
    panic::resume_unwind,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use futures::future::select;
use server::db::{Database, DbError, Locked, Scope};
use sqlx::{Executor, Row};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{TestDatabase, context_key};

/// Transactions that are given up at a random point. `SUBROSA_BLEED` sets another number.
const TRANSACTIONS: u32 = 3_000;

pub(crate) fn transactions() -> u32 {
    std::env::var("SUBROSA_BLEED").ok().and_then(|number| number.parse().ok()).unwrap_or(TRANSACTIONS)
}

/// What a transaction finds when it begins without entering: the reads of the start have no context.
async fn left_behind(locked: &Locked) -> (String, i64) {
    let mut transaction = locked.read().await.unwrap();
    let query = "SELECT coalesce(current_setting('subrosa.context', true), '') AS context, \
                 (SELECT count(*) FROM tenant.calls) AS calls";
    let row = sqlx::query(query).fetch_one(transaction.conn()).await.unwrap();
    (row.get("context"), row.get("calls"))
}

/// Works in a transaction for long enough that it can be given up at any statement.
async fn work(database: &Database, scope: &Scope) {
    let Ok(mut transaction) = database.write(scope).await else { return };
    let _ = transaction.conn().execute("UPDATE tenant.calls SET updated_at = now()").await;
    let _ = transaction.conn().execute("SELECT count(*) FROM tenant.calls, generate_series(1, 100)").await;
    let _ = transaction.rollback().await;
}

/// Works until it has been polled some times, then drops the work wherever it is.
async fn drop_after(polls: u32, work: impl Future) {
    let mut seen = 0;
    // Looked at before each poll of the work, which alone wakes both.
    let enough = pin!(std::future::poll_fn(|_| {
        seen += 1;
        if seen > polls { Poll::Ready(()) } else { Poll::Pending }
    }));
    select(enough, pin!(work)).await;
}

/// Works in a task that is cancelled wherever it is, as when a client goes away.
async fn cancel_after(polls: u32, database: &Database, scope: &Scope) {
    let (database, scope) = (database.clone(), *scope);
    let task = tokio::spawn(async move { work(&database, &scope).await });
    for _ in 0..polls {
        tokio::task::yield_now().await;
    }
    task.abort();
    let _ = task.await;
}

/// Works in a task that panics wherever it is, as a handler with a bug does.
async fn panic_after(polls: u32, database: &Database, scope: &Scope) {
    let (database, scope) = (database.clone(), *scope);
    let task = tokio::spawn(async move {
        let mut seen = 0;
        let mut work = pin!(work(&database, &scope));
        std::future::poll_fn(|context| {
            seen += 1;
            if seen > polls {
                // Unlike `panic!`, says nothing; there are many.
                resume_unwind(Box::new("a bug"));
            }
            work.as_mut().poll(context)
        })
        .await;
    });
    let _ = task.await;
}

/// Gives transactions up at every point in turn, dropped, cancelled and panicking, and looks at what they leave.
pub(crate) async fn give_up(database: &Database, locked: &Locked, scope: &Scope, transactions: u32) {
    for number in 0..transactions {
        let polls = number / 3 % 61;
        match number % 3 {
            0 => drop_after(polls, work(database, scope)).await,
            1 => cancel_after(polls, database, scope).await,
            _ => panic_after(polls, database, scope).await,
        }
        if number % 8 == 0 {
            assert_eq!(left_behind(locked).await, (String::new(), 0), "{number}, after {polls} polls");
        }
    }
    println!("{transactions} transactions given up, 0 contexts left behind");
}

#[tokio::test]
async fn a_transaction_that_is_dropped_anywhere_leaves_no_context_and_no_change() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    // One connection, so that each transaction gets the one that the last was dropped on.
    let locked = Locked::connect(&test.address("subrosa_app"), 1).await.unwrap();
    let database = locked.clone().unlock(context_key());
    give_up(&database, &locked, &tenant.as_owner(), transactions()).await;
    let changed = "SELECT count(*) FROM tenant.calls WHERE updated_at <> created_at";
    let mut superuser = test.superuser().await;
    assert_eq!(sqlx::query_scalar::<_, i64>(changed).fetch_one(&mut superuser).await.unwrap(), 0);
}

/// What PostgreSQL remarks, as it comes to the log.
#[derive(Clone, Default)]
struct Remarks(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Remarks {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }
}

#[tokio::test]
async fn whenever_a_transaction_is_dropped_postgresql_has_nothing_to_remark() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let locked = Locked::connect(&test.address("subrosa_app"), 1).await.unwrap();
    let database = locked.clone().unlock(context_key());
    let remarks = Remarks::default();
    // Everything of this test runs on its own thread.
    let _heard = tracing::subscriber::set_default(tracing_subscriber::registry().with(remarks.clone()));
    // That it is heard at all.
    sqlx::raw_sql("ROLLBACK").execute(&mut test.superuser().await).await.unwrap();
    assert_eq!(std::mem::take(&mut *remarks.0.lock().unwrap()).len(), 1);
    let scope = tenant.as_owner();
    for polls in 0..61 {
        for statement in ["UPDATE tenant.calls SET updated_at = now()", "SELECT 1 / 0"] {
            for committed in [true, false] {
                let work = async {
                    let mut transaction = database.write(&scope).await.unwrap();
                    let _ = transaction.conn().execute(statement).await;
                    let _ = if committed { transaction.commit().await } else { transaction.rollback().await };
                };
                drop_after(polls, work).await;
                assert_eq!(left_behind(&locked).await.0, "", "{statement}, after {polls} polls");
                assert_eq!(*remarks.0.lock().unwrap(), [""; 0], "{statement}, {committed}, after {polls} polls");
            }
        }
    }
}

#[tokio::test]
async fn a_transaction_in_which_a_statement_failed_keeps_nothing_and_says_so() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let database = test.open().await;
    let mut transaction = database.write(&tenant.as_owner()).await.unwrap();
    transaction.conn().execute("UPDATE tenant.calls SET status = 4").await.unwrap();
    let _ = transaction.conn().execute("SELECT 1 / 0").await.unwrap_err();
    assert!(transaction.commit().await.is_err());
    let mut transaction = database.read(&tenant.as_owner()).await.unwrap();
    let changed = "SELECT count(*) FROM tenant.calls WHERE status = 4";
    assert_eq!(sqlx::query_scalar::<_, i64>(changed).fetch_one(transaction.conn()).await.unwrap(), 0);
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Refused,
    Failed,
}

impl From<DbError> for Outcome {
    fn from(_: DbError) -> Self {
        Self::Failed
    }
}

#[tokio::test]
async fn what_is_refused_has_let_go_of_its_locks_before_it_is_answered() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let database = test.open().await;
    let mut superuser = test.superuser().await;
    for round in 0..40 {
        let mut transaction = database.write(&tenant.as_owner()).await.unwrap();
        transaction.conn().execute("SELECT pg_advisory_xact_lock(1)").await.unwrap();
        let attempted = if round % 2 == 0 { Err(Outcome::Refused) } else { Ok(()) };
        assert_eq!(transaction.end(attempted).await.is_ok(), round % 2 == 1);
        // Sent at once, in one message: whatever a dropped transaction left to be done comes after it.
        let free = superuser.fetch_one(sqlx::raw_sql("SELECT pg_try_advisory_xact_lock(1)")).await.unwrap();
        assert!(free.get::<bool, _>(0), "{round}");
    }
}

#[tokio::test]
async fn what_only_read_has_ended_before_anybody_else_gets_its_connection() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let locked = Locked::connect(&test.address("subrosa_app"), 1).await.unwrap();
    let database = locked.clone().unlock(context_key());
    for round in 0..100 {
        let mut transaction = database.read(&tenant.as_owner()).await.unwrap();
        let calls = "SELECT count(*) FROM tenant.calls";
        assert_ne!(sqlx::query_scalar::<_, i64>(calls).fetch_one(transaction.conn()).await.unwrap(), 0);
        if round % 3 == 0 {
            transaction.conn().execute("SELECT 1 / 0").await.unwrap_err();
        }
        transaction.commit().await.unwrap();
        assert_eq!(left_behind(&locked).await, (String::new(), 0), "{round}");
    }
}

#[tokio::test]
async fn after_the_server_ended_every_session_the_next_transaction_opens() {
    let test = TestDatabase::new().await;
    let tenant = test.tenant().await;
    let database = test.open().await;
    let mut several = Vec::new();
    for _ in 0..4 {
        several.push(database.read(&tenant.as_owner()).await.unwrap());
    }
    for transaction in several {
        transaction.rollback().await.unwrap();
    }
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE usename = 'subrosa_app' AND datname = current_database()";
    test.superuser().await.execute(end).await.unwrap();
    assert!(database.read(&tenant.as_owner()).await.is_ok());
}
