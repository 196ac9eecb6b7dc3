//! Crossfire: tenants at work at the same time on one database, each trying every other's ids with every verb. A probe is one foreign id
//! in one verb on one table; a statement carries many.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use server::db::{Database, DbError, Locked};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use uuid::Uuid;

use crate::support::{Tenant, TestDatabase, context_key};

const TENANTS: usize = 16;
const CONNECTIONS: usize = 4;

/// Probes in every run of the tests; `SUBROSA_PROBES` sets another number, `make soak` ten million.
const PROBES: u64 = 200_000;

/// Rows of a tenant in each table, and so foreign ids in a statement for each other tenant.
const ROWS: usize = 8;

/// Tables with a column that names a row, what a foreign write sets, and whether the runtime login updates and deletes at all.
const TABLES: [(&str, &str, Option<&str>, bool); 10] = [
    ("calls", "id", Some("status = 5"), true),
    ("contacts", "id", Some("updated_at = 'epoch'"), true),
    ("contact_tokens", "contact_id", None, true),
    ("artifacts", "call_id", Some("parts = 999"), true),
    ("jobs", "id", Some("priority = 999"), true),
    ("record_keys", "record_id", None, true),
    ("run_keys", "id", None, true),
    ("search_postings", "call_id", None, true),
    ("audit_events", "id", None, false),
    ("deletion_receipts", "id", None, false),
];

/// One tenant and the ids of all its rows: the same in every table.
#[derive(Clone)]
struct Side {
    tenant: Tenant,
    ids: Vec<Uuid>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_tenants_on_four_connections_each_reach_no_foreign_row() {
    let target = std::env::var("SUBROSA_PROBES").ok().and_then(|number| number.parse().ok()).unwrap_or(PROBES);
    let test = TestDatabase::new().await;
    let mut superuser = test.superuser().await;
    let mut sides = Vec::new();
    for _ in 0..TENANTS {
        let side = Side { tenant: test.tenant().await, ids: (0..ROWS).map(|_| Uuid::now_v7()).collect() };
        populate(&mut superuser, &side).await;
        sides.push(side);
    }
    let before = fingerprint(&mut superuser).await;
    let (sides, probes) = (Arc::new(sides), Arc::new(AtomicU64::new(0)));
    // 16 × 4 connections, each of its tenant alone: more than a pool, less than the server's 100.
    let mut tasks = Vec::new();
    for number in 0..TENANTS {
        let address = test.address("subrosa_app");
        let locked = Locked::connect(&address, CONNECTIONS as u32).await.unwrap();
        let database = locked.unlock(context_key());
        for lane in 0..CONNECTIONS {
            let (sides, probes, database) = (sides.clone(), probes.clone(), database.clone());
            tasks.push(tokio::spawn(async move {
                let mut chance = (number * CONNECTIONS + lane) as u64;
                while probes.load(Ordering::Relaxed) < target {
                    let fired = fire(&database, &sides, number, &mut chance).await.unwrap();
                    probes.fetch_add(fired, Ordering::Relaxed);
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    println!("crossfire: {} probes, 0 foreign rows", probes.load(Ordering::Relaxed));
    assert_eq!(fingerprint(&mut superuser).await, before, "a foreign write changed a row");
}

/// The next of a sequence without pattern (SplitMix64), below a bound.
fn draw(chance: &mut u64, below: usize) -> usize {
    *chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = (*chance ^ (*chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % below as u64) as usize
}

/// One transaction of one tenant: own rows are there, foreign ones are not, for a table and verb drawn at random. Rolled back.
async fn fire(database: &Database, sides: &[Side], number: usize, chance: &mut u64) -> Result<u64, DbError> {
    let own = &sides[number];
    let foreign: Vec<Uuid> =
        sides.iter().enumerate().filter(|(other, _)| *other != number).flat_map(|(_, side)| side.ids.clone()).collect();
    let (table, id, set, deletes) = TABLES[draw(chance, TABLES.len())];
    let mut transaction = database.write(&own.tenant.as_owner()).await?;
    let seen =
        format!("SELECT count(*) FILTER (WHERE tenant_id <> $1), count(*) FROM tenant.{table} WHERE {id} = ANY ($2)");
    let mut all = foreign.clone();
    all.extend(&own.ids);
    let (strangers, rows): (i64, i64) =
        sqlx::query_as(AssertSqlSafe(seen)).bind(own.tenant.id).bind(&all).fetch_one(transaction.conn()).await?;
    assert_eq!((strangers, rows), (0, ROWS as i64), "{table}: a foreign row, or an own row lost");
    let mut probes = foreign.len() as u64;
    let mut statements = Vec::new();
    statements.extend(set.map(|set| format!("UPDATE tenant.{table} SET {set} WHERE {id} = ANY ($1)")));
    statements.extend(deletes.then(|| format!("DELETE FROM tenant.{table} WHERE {id} = ANY ($1)")));
    for statement in statements {
        let hit = sqlx::query(AssertSqlSafe(statement)).bind(&foreign).execute(transaction.conn()).await?;
        assert_eq!(hit.rows_affected(), 0, "{table}: a foreign row was written");
        probes += foreign.len() as u64;
    }
    probes += insert_for(&mut transaction, &sides[(number + 1 + draw(chance, TENANTS - 1)) % TENANTS]).await;
    Ok(probes)
}

/// Writing into another tenant, and hanging a child on another tenant's call, are refused.
async fn insert_for(transaction: &mut server::db::TenantTx<server::db::Write>, other: &Side) -> u64 {
    let (own, foreign) = (transaction.scope(), other.tenant);
    for (tenant, owner, call) in [
        (foreign.id, foreign.owner, other.ids[0]),
        (own.tenant(), own.user(), other.ids[0]),
        (own.tenant(), foreign.owner, other.ids[0]),
    ] {
        transaction.conn().execute("SAVEPOINT probe").await.unwrap();
        let insert = "INSERT INTO tenant.run_keys (tenant_id, id, call_id, owner_id, sealed) \
                      VALUES ($1, gen_random_uuid(), $3, $2, decode(repeat('00', 60), 'hex'))";
        let result = sqlx::query(insert).bind(tenant).bind(owner).bind(call).execute(transaction.conn()).await;
        assert!(result.is_err(), "a row was written into another tenant");
        transaction.conn().execute("ROLLBACK TO SAVEPOINT probe").await.unwrap();
    }
    3
}

/// Rows of a tenant in every table of the crossfire, with the same ids.
async fn populate(superuser: &mut PgConnection, side: &Side) {
    let Tenant { id: tenant, owner, .. } = side.tenant;
    let ids = side.ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
    let rows = format!("FROM unnest('{{{ids}}}'::uuid[]) WITH ORDINALITY AS r (id, n)");
    let key = "decode(repeat('00', 60), 'hex')";
    let hash = "sha256(uuid_send(r.id))";
    let sealed = "crypto.pgp_sym_encrypt_bytea('x', 'key', 'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0')";
    for insert in [
        format!("contacts (tenant_id, id, owner_id, sealed) SELECT '{tenant}', r.id, '{owner}', {sealed} {rows}"),
        format!(
            "contact_tokens (tenant_id, contact_id, owner_id, kind, token) SELECT '{tenant}', r.id, '{owner}', 1, {hash} {rows}"
        ),
        format!("calls (tenant_id, id, owner_id) SELECT '{tenant}', r.id, '{owner}' {rows}"),
        format!(
            "artifacts (tenant_id, call_id, owner_id, kind, parts) SELECT '{tenant}', r.id, '{owner}', 1, 1 {rows}"
        ),
        format!(
            "jobs (tenant_id, id, call_id, owner_id, kind, region) SELECT '{tenant}', r.id, r.id, '{owner}', 1, 'local' {rows}"
        ),
        format!(
            "record_keys (tenant_id, kind, record_id, owner_id, sealed) SELECT '{tenant}', 1, r.id, '{owner}', {key} {rows}"
        ),
        format!(
            "run_keys (tenant_id, id, call_id, owner_id, sealed) SELECT '{tenant}', r.id, r.id, '{owner}', {key} {rows}"
        ),
        format!(
            "search_postings (tenant_id, call_id, owner_id, call_words, term_frequency, token, positions) \
             SELECT '{tenant}', r.id, '{owner}', 1, 1, substring({hash} FOR 16), '\\x00' {rows}"
        ),
        format!(
            "audit_events (tenant_id, sequence, id, actor_id, actor_role, action, subject_kind, subject_id, at, previous, hash) \
             SELECT '{tenant}', r.n, r.id, '{owner}', 1, 1, 1, r.id, now(), {hash}, {hash} {rows}"
        ),
        format!(
            "deletion_receipts (tenant_id, sequence, id, class, subject_id, rows_removed, blobs_removed, keys_destroyed, at, \
             previous, hash, signing_key, signature) SELECT '{tenant}', r.n, r.id, 1, r.id, 1, 1, 1, now(), {hash}, {hash}, 1, \
             decode(repeat('00', 64), 'hex') {rows}"
        ),
    ] {
        superuser.execute(AssertSqlSafe(format!("INSERT INTO tenant.{insert}"))).await.unwrap();
    }
}

/// Everything in the tables of the crossfire, so that a change by anybody shows.
async fn fingerprint(superuser: &mut PgConnection) -> Vec<String> {
    let mut fingerprints = Vec::new();
    for (table, ..) in TABLES {
        let query = format!("SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM tenant.{table} t");
        fingerprints.push(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *superuser).await.unwrap());
    }
    fingerprints
}
