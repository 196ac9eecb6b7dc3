//! Migrations that change rows, on tables that have some.

use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use crate::support::{TestDatabase, connect};

const WHAT_WAS_HEARD: &str = include_str!("../../migrations/0390_what_was_heard.sql");

/// What recognition gave is kind 3, what is read is kind 4.
async fn call(
    superuser: &mut PgConnection,
    (tenant, id): (Uuid, Uuid),
    (is_held, is_corrected, run): (bool, bool, Option<Uuid>),
) {
    let call = "INSERT INTO tenant.calls (tenant_id, id, owner_id, status, legal_hold, search_words) VALUES ($1, $2, $3, 4, $4, 9)";
    sqlx::query(call).bind(tenant).bind(id).bind(Uuid::nil()).bind(is_held).execute(&mut *superuser).await.unwrap();
    let artifacts = "INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, run_id, parts, bytes, updated_at)
      VALUES ($1, $2, 3, $3, $4, 0, 0, now()), ($1, $2, 4, $3, NULL, 0, 0, now() + CASE WHEN $5 THEN interval '1s' ELSE interval '0' END)";
    let artifacts = sqlx::query(artifacts).bind(tenant).bind(id).bind(Uuid::nil()).bind(run).bind(is_corrected);
    artifacts.execute(superuser).await.unwrap();
}

#[tokio::test]
async fn what_was_heard_goes_from_corrected_calls_and_stays_where_it_is_held_or_all_there_is() {
    let test = TestDatabase::new().await;
    let mut superuser = test.superuser().await;
    superuser.execute("SET session_replication_role = replica").await.unwrap();
    let (ours, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let [corrected, untouched, held, running, doubled] = [11, 12, 13, 14, 15].map(Uuid::from_u128);
    call(&mut superuser, (ours, corrected), (false, true, None)).await;
    call(&mut superuser, (ours, untouched), (false, false, None)).await;
    call(&mut superuser, (ours, held), (true, true, None)).await;
    call(&mut superuser, (ours, running), (false, true, Some(Uuid::from_u128(99)))).await;
    // The same id in another tenant, where it was corrected.
    call(&mut superuser, (ours, doubled), (false, false, None)).await;
    call(&mut superuser, (other, doubled), (false, true, None)).await;

    let mut owner = connect(&test.socket, "subrosa_owner", &test.name).await;
    owner.execute(sqlx::raw_sql(WHAT_WAS_HEARD)).await.unwrap();

    let heard = "SELECT tenant_id, call_id FROM tenant.artifacts WHERE kind = 3 ORDER BY 1, 2";
    let heard: Vec<(Uuid, Uuid)> = sqlx::query_as(heard).fetch_all(&mut superuser).await.unwrap();
    assert_eq!(heard, [untouched, held, running, doubled].map(|call| (ours, call)));
    let said: i64 = sqlx::query_scalar("SELECT count(*) FROM tenant.artifacts WHERE kind = 4")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(said, 6);
    let indexed = "SELECT id FROM tenant.calls WHERE search_words IS NULL";
    let indexed: Vec<Uuid> = sqlx::query_scalar(indexed).fetch_all(&mut superuser).await.unwrap();
    assert_eq!(indexed, [held]);
    let forced = "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE oid IN ('tenant.calls'::regclass, 'tenant.artifacts'::regclass)";
    assert!(sqlx::query_scalar::<_, bool>(forced).fetch_one(&mut superuser).await.unwrap());
}
