//! Transactions that end badly: dropped in the middle of anything, failed, panicked, cut off by the server. The next one on the same
//! connection starts without a context.

use std::pin::pin;

use futures::future::{Either, select};
use server::db::{Database, Locked, Scope};
use sqlx::{Executor, Row};

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

/// Gives transactions up after some polls, on one connection, and looks what each leaves.
pub(crate) async fn give_up(database: &Database, locked: &Locked, scope: &Scope, transactions: u32) {
    for number in 0..transactions {
        let patience = number % 61;
        let mut polls = 0;
        let work = pin!(work(database, scope));
        // Ready at the poll number `patience`: the work is dropped wherever it then is.
        let enough = pin!(std::future::poll_fn(|_| {
            polls += 1;
            if polls > patience { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }));
        if let Either::Left(_) = select(enough, work).await {}
        if number % 8 == 0 {
            assert_eq!(left_behind(locked).await, (String::new(), 0), "after {patience} polls");
        }
    }
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
