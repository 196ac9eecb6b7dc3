//! What the gate costs: point reads and lists of 50 through it, against the same transactions (BEGIN, read, COMMIT) by a login that
//! no context and no policy holds, on tables of the same shape. `cargo bench -p server --bench gate`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark prints and fails by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use server::db::Database;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool, postgres::PgConnectOptions};
use support::{Tenant, TestDatabase};
use uuid::Uuid;

/// Tenants beside the measured one, and calls of each.
const TENANTS: usize = 20;
const CALLS: i32 = 1000;

/// How long each way is measured, in turns, so that a busy machine slows both alike.
const TURN: Duration = Duration::from_millis(500);
const TURNS: u32 = 6;

const POINT: &str = "SELECT status FROM tenant.calls WHERE tenant_id = $1 AND id = $2";
const LIST: &str =
    "SELECT id, status, created_at FROM tenant.calls WHERE tenant_id = $1 ORDER BY created_at DESC, id LIMIT 50";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let test = TestDatabase::new().await;
    let mut superuser = test.superuser().await;
    let tenant = test.tenant().await;
    for number in 0..=TENANTS {
        let Tenant { id, owner, .. } = if number == 0 { tenant } else { test.tenant().await };
        let insert = format!(
            "INSERT INTO tenant.calls (tenant_id, id, owner_id) \
             SELECT '{id}', gen_random_uuid(), '{owner}' FROM generate_series(1, {CALLS})"
        );
        superuser.execute(AssertSqlSafe(insert)).await.unwrap();
    }
    superuser.execute("VACUUM ANALYZE tenant.calls").await.unwrap();
    let database = test.open().await;
    let plain = plain(&test).await;
    for (name, query, rows) in [("point read", POINT, 1), ("list of 50", LIST, 50)] {
        let (mut through, mut around) = (0, 0);
        for _ in 0..TURNS {
            through += gate(&database, tenant, query, rows).await;
            around += bare(&plain, tenant, query, rows).await;
        }
        let seconds = (TURN * TURNS).as_secs_f64();
        let (through, around) = (f64::from(through) / seconds, f64::from(around) / seconds);
        println!("{name}: {through:.0} /s through the gate, {around:.0} /s without, ratio {:.2}", through / around);
    }
    superuser.close().await.unwrap();
}

/// A pool of a superuser, whom no policy holds.
async fn plain(test: &TestDatabase) -> PgPool {
    let options = PgConnectOptions::new_without_pgpass().socket(&test.socket).port(5432).username("postgres");
    let options = options.database(&test.name).disable_statement_logging();
    sqlx::postgres::PgPoolOptions::new().test_before_acquire(false).connect_with(options).await.unwrap()
}

fn bind(
    query: &'static str,
    tenant: Tenant,
) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
    let bound = sqlx::query(query).bind(tenant.id);
    if query == POINT { bound.bind::<Uuid>(tenant.owner_call) } else { bound }
}

async fn gate(database: &Database, tenant: Tenant, query: &'static str, rows: usize) -> u32 {
    let (end, mut count) = (Instant::now() + TURN, 0);
    while Instant::now() < end {
        let mut transaction = database.read(&tenant.as_owner()).await.unwrap();
        assert_eq!(bind(query, tenant).fetch_all(transaction.conn()).await.unwrap().len(), rows);
        transaction.commit().await.unwrap();
        count += 1;
    }
    count
}

async fn bare(pool: &PgPool, tenant: Tenant, query: &'static str, rows: usize) -> u32 {
    let (end, mut count) = (Instant::now() + TURN, 0);
    while Instant::now() < end {
        let mut transaction = pool.begin_with("BEGIN READ ONLY").await.unwrap();
        assert_eq!(bind(query, tenant).fetch_all(&mut *transaction).await.unwrap().len(), rows);
        transaction.commit().await.unwrap();
        count += 1;
    }
    count
}
