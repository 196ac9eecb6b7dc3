//! What the database itself is asked: its catalogue, what it gives to whom has no context, what it refuses to store, and how old the
//! oldest things in it are.
//!
//! Invariant: everything runs as the runtime login, so what is proved holds for what an injected statement could do.

use std::time::Duration;

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    calls::legal_hold,
    db::{Database, DbError, Locked, Reason, StartTx, TenantTx, Write},
    deletion::{blobs, expiry},
    retention,
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
    worker::sweep,
};

/// Rules that the schema keeps; each row that it gives is a violation.
pub const CATALOGUE_RULES: &str = include_str!("catalogue_rules.sql");

/// What a column of content must refuse, and why.
const REFUSED: [(&str, &str); 4] = [
    ("plaintext", "convert_to('plaintext that is long enough for every check of a length, is it not?', 'UTF8')"),
    (
        "AES-128",
        "crypto.pgp_sym_encrypt_bytea('a packet', 'key', 'cipher-algo=aes128, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0')",
    ),
    (
        "a packet without integrity",
        "crypto.pgp_sym_encrypt_bytea('a packet', 'key', 'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0, disable-mdc=1')",
    ),
    ("nothing", "''::bytea"),
];

/// A column of content, and what values of one tenant are in it.
#[derive(Clone)]
pub struct Column {
    /// The table and what it is called there.
    pub column: String,
    /// How many are OpenPGP packets under AES-256.
    pub sealed: i64,
    /// How many are something else.
    pub other: i64,
}

/// Violations of the catalogue's rules: what is wrong with which object.
///
/// # Errors
/// When the database does not answer.
pub async fn catalogue(locked: &Locked) -> Result<Vec<String>, DbError> {
    let mut tx = locked.read().await?;
    let rules: Vec<(String, String)> = sqlx::query_as(CATALOGUE_RULES).persistent(false).fetch_all(tx.conn()).await?;
    Ok(rules.into_iter().map(|(problem, object)| format!("{problem}: {object}")).collect())
}

/// What a transaction without a context could do.
#[derive(Clone, Debug, Default)]
pub struct Uncontexted {
    /// Tables that were asked.
    pub tables: usize,
    /// Those of them that gave a row.
    pub open: Vec<String>,
    /// Whether a context with a made-up signature was taken.
    pub takes_forgery: bool,
}

/// Asks every table of tenants for a row without a context, and the database to take a forged one.
///
/// # Errors
/// When the database does not answer.
pub async fn without_context(locked: &Locked) -> Result<Uncontexted, DbError> {
    let tables = "SELECT c.oid::regclass::text FROM pg_class c
                  WHERE c.relnamespace IN ('tenant'::regnamespace, 'global'::regnamespace) AND c.relkind IN ('r', 'p') ORDER BY 1";
    let mut tx = locked.read().await?;
    let tables: Vec<String> = sqlx::query_scalar(tables).persistent(false).fetch_all(tx.conn()).await?;
    drop(tx);
    let mut found = Uncontexted { tables: tables.len(), ..Uncontexted::default() };
    for table in tables {
        // A refusal ends its transaction.
        let mut tx = locked.read().await?;
        let one = AssertSqlSafe(format!("SELECT true FROM {table} LIMIT 1"));
        let row: Result<Option<bool>, _> = sqlx::query_scalar(one).persistent(false).fetch_optional(tx.conn()).await;
        match row {
            Ok(None) => {}
            Ok(Some(_)) => found.open.push(table),
            Err(error) if is_refusal(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut signature = [0; 32];
    rand::fill(&mut signature).map_err(|_| DbError::Unexpected)?;
    let mut tx = locked.read().await?;
    let forged = "SELECT app.enter($1, $2, 1::smallint, extract(epoch FROM now())::bigint + 60, $3)::text";
    let forged = sqlx::query(forged).bind(Uuid::now_v7()).bind(Uuid::now_v7()).bind(&signature[..]);
    found.takes_forgery = match forged.persistent(false).execute(tx.conn()).await {
        Ok(_) => true,
        Err(error) if is_refusal(&error) => false,
        Err(error) => return Err(error.into()),
    };
    Ok(found)
}

/// Whether the database refuses: no right, or no context (invalid authorization); any other error says nothing about that.
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("42501" | "28000"))
}

/// A session of the database that keeps a word in its memory until it is dropped, and nowhere else: what a search of the memory of the
/// server's processes has to find.
///
/// # Errors
/// When the database does not answer.
pub async fn holding(locked: &Locked, word: &str) -> Result<StartTx, DbError> {
    let mut tx = locked.read().await?;
    // A setting that nobody reads, for this transaction alone, which waits for as long as a search takes.
    let hold =
        "SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('verify.control', $1, true)";
    let hold = sqlx::query(hold).bind(word);
    hold.persistent(false).execute(tx.conn()).await?;
    Ok(tx)
}

/// What a column of content takes although it must not.
///
/// # Errors
/// When the database does not answer.
pub async fn taken(locked: &Locked) -> Result<Vec<&'static str>, DbError> {
    let mut taken = Vec::new();
    for (what, value) in REFUSED {
        let mut tx = locked.read().await?;
        let cast = AssertSqlSafe(format!("SELECT ({value})::app.enc::bytea IS NOT NULL"));
        match sqlx::query(cast).persistent(false).execute(tx.conn()).await {
            Ok(_) => taken.push(what),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("23514") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(taken)
}

/// Every column of content of tenants, with how many values this tenant has there.
///
/// # Errors
/// When the database does not answer.
pub async fn sealed_columns(database: &Database, tenant: Uuid) -> Result<Vec<Column>, DbError> {
    let columns = "SELECT c.oid::regclass::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   WHERE a.atttypid = 'app.enc'::regtype AND c.relkind IN ('r', 'p') AND c.relnamespace = 'tenant'::regnamespace ORDER BY 1, 2";
    let mut tx = database.read(&sweep::scope(tenant)).await?;
    let columns: Vec<(String, String)> = sqlx::query_as(columns).persistent(false).fetch_all(tx.conn()).await?;
    let mut counted = Vec::new();
    for (table, column) in columns {
        // An OpenPGP packet under AES-256 (RFC 4880, 5.3), by its first bytes.
        let is_sealed = format!("substring({column}::bytea FROM 1 FOR 6) = '\\xc30c04090108'");
        let count = AssertSqlSafe(format!(
            "SELECT count(*) FILTER (WHERE {is_sealed}), count(*) FILTER (WHERE NOT ({is_sealed})) FROM {table} WHERE tenant_id = $1"
        ));
        let (sealed, other) = sqlx::query_as(count).bind(tenant).persistent(false).fetch_one(tx.conn()).await?;
        counted.push(Column { column: format!("{table}.{column}"), sealed, other });
    }
    Ok(counted)
}

/// Lifts the legal holds of the transaction's tenant, which is one of an audit, before it is deleted: each as a person would, with a reason
/// and an event in the audit log, which outlives the tenant.
///
/// # Errors
/// When the database does not answer, or the key of a call is gone.
pub async fn lift_holds(tx: &mut TenantTx<Write>, vault: &Vault) -> Result<(), VaultError> {
    let held = "SELECT id FROM tenant.calls WHERE tenant_id = $1 AND legal_hold ORDER BY id";
    let tenant = tx.scope().tenant();
    let held: Vec<Uuid> =
        sqlx::query_scalar(held).bind(tenant).persistent(false).fetch_all(tx.conn()).await.map_err(DbError::from)?;
    for call in held {
        legal_hold::record(tx, vault, call, false, "a run of subrosa verify is over").await?;
    }
    Ok(())
}

/// Rows about a call that are left: tables and how many, without those of the audit log and receipts, and of the outbox.
///
/// # Errors
/// When the database does not answer.
pub async fn rows_of_call(database: &Database, tenant: Uuid, call: Uuid) -> Result<Vec<(String, i64)>, DbError> {
    let columns = "SELECT c.oid::regclass::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'tenant'::regnamespace
                     AND (a.attname IN ('call_id', 'record_id') OR (c.relname = 'calls' AND a.attname = 'id')) ORDER BY 1";
    let mut tx = database.read(&sweep::scope(tenant)).await?;
    let columns: Vec<(String, String)> = sqlx::query_as(columns).persistent(false).fetch_all(tx.conn()).await?;
    let mut left = Vec::new();
    for (table, column) in columns {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE tenant_id = $1 AND {column} = $2"));
        let rows: i64 =
            sqlx::query_scalar(count).bind(tenant).bind(call).persistent(false).fetch_one(tx.conn()).await?;
        if rows > 0 {
            left.push((table, rows));
        }
    }
    Ok(left)
}

/// Whether the key of a call is still there.
///
/// # Errors
/// When the database does not answer.
pub async fn has_key(database: &Database, vault: &Vault, tenant: Uuid, call: Uuid) -> Result<bool, VaultError> {
    let mut tx = database.read(&sweep::scope(tenant)).await?;
    match vault.record_key(&mut tx, RecordKind::Call, call).await {
        Ok(_) => Ok(true),
        Err(VaultError::Gone(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How old the oldest things are, by the clock of the database.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    /// The oldest recording that is still there.
    pub recording: Duration,
    /// By how much the oldest call is older than its tenant keeps it.
    pub retention: Duration,
    /// The oldest deletion whose bytes are still there.
    pub deletion: Duration,
    /// The oldest processing event.
    pub event: Duration,
    /// Audit logs with events that were over longer ago than what is late may be.
    pub logs: u64,
}

/// Looks at the clocks. Audit events that are over may stay for as long as `late`.
///
/// # Errors
/// When the database does not answer.
pub async fn ages(database: &Database, late: Duration, now: DateTime<Utc>) -> Result<Ages, DbError> {
    let mut tx = database.system(Reason::Sweep).await?;
    let event: f64 =
        sqlx::query_scalar!(r#"SELECT app.processing_events_age() AS "age!""#).fetch_one(tx.conn()).await?;
    tx.commit().await?;
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    Ok(Ages {
        recording: seconds(sweep::oldest_seconds(database).await?),
        retention: seconds(retention::lag_seconds(database).await?),
        deletion: seconds(blobs::lag_seconds(database).await?),
        event: seconds(event),
        logs: expiry::overdue(database, late, now).await?,
    })
}
