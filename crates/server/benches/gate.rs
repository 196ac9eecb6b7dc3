//! What the gate costs: point reads and lists of 50 through it, each row with a sealed document that is opened, against the same
//! transactions (BEGIN, read, COMMIT) by a login that no context and no policy holds, on a table of the same shape with the same
//! documents in plain; one transaction after the other, and several at once. `cargo bench -p server --bench gate`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark prints and fails by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures::future::join_all;
use secrecy::ExposeSecret as _;
use server::{
    db::{Database, Locked, Owner, Role, Scope},
    vault::{
        content::{self, Stored},
        key::Key,
        keyring::{self, KeyId, KeySource},
        keys::Vault,
        seal::{Field, RecordKind},
        start,
    },
};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Row, postgres::PgConnectOptions};
use support::TestDatabase;
use uuid::Uuid;

/// Tenants beside the measured one, and calls of each.
const TENANTS: usize = 20;
const CALLS: usize = 1000;

/// Bytes of a call's document: title, names, numbers, a note.
const DOCUMENT: usize = 300;

/// Connections of each pool. A transaction takes the next one while the pool still asks the last whether it lives.
const CONNECTIONS: u32 = 8;

/// Transactions at once.
const AT_ONCE: [usize; 2] = [1, 4];

/// How long each way is measured, in turns, so that a busy machine slows both alike; the median of the turns' ratios counts.
const TURN: Duration = Duration::from_millis(250);
const TURNS: usize = 61;

const POINT: &str = "SELECT c.id, c.status, c.created_at, c.sealed, k.sealed AS key FROM tenant.calls c
  JOIN tenant.record_keys k ON k.tenant_id = c.tenant_id AND k.kind = 1 AND k.record_id = c.id
  WHERE c.tenant_id = $1 AND c.id = $2";
// The page first: with the join inside of the limit PostgreSQL reads all calls of the tenant and all their keys.
const LIST: &str = "SELECT c.id, c.status, c.created_at, c.sealed, k.sealed AS key
  FROM (SELECT id, status, created_at, sealed FROM tenant.calls
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY created_at DESC, id LIMIT 50) c
  JOIN tenant.record_keys k ON k.tenant_id = $1 AND k.kind = 1 AND k.record_id = c.id ORDER BY c.created_at DESC, c.id";
const PLAIN_POINT: &str = "SELECT id, status, created_at, document FROM plain.calls WHERE tenant_id = $1 AND id = $2";
const PLAIN_LIST: &str = "SELECT id, status, created_at, document FROM plain.calls
  WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY created_at DESC, id LIMIT 50";

/// The same calls twice: sealed behind the gate, plain beside it.
struct Bench {
    database: Database,
    vault: Vault,
    plain: PgPool,
    scope: Scope,
    call: Uuid,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let test = TestDatabase::new().await;
    let bench = Bench::new(&test).await;
    for (name, sealed, plain, call) in
        [("point read", POINT, PLAIN_POINT, Some(bench.call)), ("list of 50", LIST, PLAIN_LIST, None)]
    {
        for at_once in AT_ONCE {
            let mut turns = Vec::new();
            for _ in 0..TURNS {
                let through: f64 = join_all((0..at_once).map(|_| bench.gate(sealed, call))).await.iter().sum();
                let around: f64 = join_all((0..at_once).map(|_| bench.bare(plain, call))).await.iter().sum();
                turns.push((through / around, through, around));
            }
            turns.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (ratio, through, around) = turns[TURNS / 2];
            let (lower, upper) = (turns[TURNS / 4].0, turns[TURNS * 3 / 4].0);
            println!(
                "{name}, {at_once} at once: {through:.0} /s through the gate, {around:.0} /s without, ratio {ratio:.2} \
                 (half of the turns {lower:.2} to {upper:.2})"
            );
        }
    }
}

impl Bench {
    async fn new(test: &TestDatabase) -> Self {
        let ring = keyring::generate(&KeyId::parse("k1").unwrap()).unwrap();
        let mut owner = Owner::connect(&test.address("subrosa_owner")).await.unwrap();
        let locked = Locked::connect(&test.address("subrosa_app"), CONNECTIONS).await.unwrap();
        let source = KeySource::Text(ring.expose_secret().to_owned().into());
        let (database, vault) = start::open(locked, source, Some(&mut owner)).await.unwrap();
        let mut superuser = test.superuser().await;
        superuser.execute(sqlx::raw_sql(PLAIN)).await.unwrap();
        let (mut scope, mut call) = (None, Uuid::nil());
        for _ in 0..=TENANTS {
            let whose = tenant(&mut superuser, &vault).await;
            call = calls(&mut superuser, &database, &vault, whose).await;
            scope = Some(whose);
        }
        superuser.execute("VACUUM ANALYZE").await.unwrap();
        superuser.close().await.unwrap();
        let options = PgConnectOptions::new_without_pgpass().socket(&test.socket).port(5432).username("postgres");
        let options = options.database(&test.name).disable_statement_logging();
        let pool = sqlx::postgres::PgPoolOptions::new().test_before_acquire(false).max_connections(CONNECTIONS);
        Self { database, vault, plain: pool.connect_with(options).await.unwrap(), scope: scope.unwrap(), call }
    }

    /// Transactions a second through the gate: one call, or a list.
    async fn gate(&self, query: &'static str, call: Option<Uuid>) -> f64 {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < TURN {
            let mut tx = self.database.read(&self.scope).await.unwrap();
            let rows = sqlx::query(query).bind(self.scope.tenant()).bind(call).fetch_all(tx.conn()).await.unwrap();
            let mut calls: Vec<(Uuid, Key, &[u8])> = Vec::with_capacity(rows.len());
            for row in &rows {
                let id = row.get(0);
                let key = self.vault.open_record_key(&mut tx, RecordKind::Call, id, row.get(4)).await.unwrap();
                calls.push((id, key, row.get(3)));
            }
            let mut stored = calls.iter().map(|(id, key, sealed)| Stored { key, field: document(*id), sealed });
            let opened = match call {
                Some(_) => vec![content::open(&stored.next().unwrap()).unwrap()],
                None => content::open_all(&stored.collect::<Vec<_>>()).unwrap(),
            };
            assert!(opened.iter().all(|document| document.len() == DOCUMENT));
            assert_eq!(opened.len(), if call.is_some() { 1 } else { 50 });
            tx.commit().await.unwrap();
            count += 1;
        }
        f64::from(count) / start.elapsed().as_secs_f64()
    }

    /// The same without context, policies and encryption.
    async fn bare(&self, query: &'static str, call: Option<Uuid>) -> f64 {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < TURN {
            let mut tx = self.plain.begin_with("BEGIN READ ONLY").await.unwrap();
            let rows = sqlx::query(query).bind(self.scope.tenant()).bind(call).fetch_all(&mut *tx).await.unwrap();
            let opened: Vec<Vec<u8>> = rows.iter().map(|row| row.get(3)).collect();
            assert!(opened.iter().all(|document| document.len() == DOCUMENT));
            assert_eq!(opened.len(), if call.is_some() { 1 } else { 50 });
            tx.commit().await.unwrap();
            count += 1;
        }
        f64::from(count) / start.elapsed().as_secs_f64()
    }
}

/// Calls without sealing: the same columns and indexes, and the document as it is.
const PLAIN: &str =
    "CREATE SCHEMA plain; CREATE TABLE plain.calls (LIKE tenant.calls INCLUDING INDEXES INCLUDING DEFAULTS);
  ALTER TABLE plain.calls ADD document bytea";

fn document(call: Uuid) -> Field {
    Field::new("calls", "sealed", call)
}

/// A tenant and who owns it.
async fn tenant(superuser: &mut PgConnection, vault: &Vault) -> Scope {
    let (tenant, user) = (Uuid::now_v7(), Uuid::now_v7());
    let (key_id, sealed) = vault.new_user_key(user).unwrap();
    let insert =
        "INSERT INTO global.users (id, address_hmac, key_id, sealed_key) VALUES ($1, sha256(uuid_send($1)), $2, $3)";
    sqlx::query(insert).bind(user).bind(key_id).bind(sealed).execute(&mut *superuser).await.unwrap();
    let (key_id, sealed) = vault.new_tenant_key(tenant).unwrap();
    let insert = "INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES ($1, $2, $3)";
    sqlx::query(insert).bind(tenant).bind(key_id).bind(sealed).execute(&mut *superuser).await.unwrap();
    let insert = "INSERT INTO tenant.memberships VALUES ($1, $2, 1)";
    sqlx::query(insert).bind(tenant).bind(user).execute(superuser).await.unwrap();
    Scope::authenticated(tenant, user, Role::Owner)
}

/// Calls of a tenant, sealed and plain; returns the last.
async fn calls(superuser: &mut PgConnection, database: &Database, vault: &Vault, scope: Scope) -> Uuid {
    let (mut ids, mut documents) = (Vec::with_capacity(CALLS), Vec::with_capacity(CALLS));
    let mut tx = database.write(&scope).await.unwrap();
    for _ in 0..CALLS {
        let call = Uuid::now_v7();
        let key = vault.create_record_key(&mut tx, RecordKind::Call, call).await.unwrap();
        documents.push(content::seal(&mut tx, &key, &document(call), &[7; DOCUMENT]).await.unwrap());
        ids.push(call);
    }
    let insert = "INSERT INTO tenant.calls (tenant_id, id, owner_id, sealed)
      SELECT $1, c, $2, s FROM unnest($3::uuid[], $4::bytea[]) AS u (c, s)";
    let insert = sqlx::query(insert).bind(scope.tenant()).bind(scope.user()).bind(&ids).bind(documents);
    insert.execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    let insert = "INSERT INTO plain.calls (tenant_id, id, owner_id, document) SELECT $1, c, $2, $4 FROM unnest($3::uuid[]) AS u (c)";
    let insert = sqlx::query(insert).bind(scope.tenant()).bind(scope.user()).bind(&ids).bind(vec![7u8; DOCUMENT]);
    insert.execute(superuser).await.unwrap();
    ids[CALLS - 1]
}
