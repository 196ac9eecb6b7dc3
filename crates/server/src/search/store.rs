//! All SQL of postings. Its one invariant: a statement names tenant and token, which the primary key begins with, and the owner as well
//! or the calls where somebody does not see those of all: row-level security takes rows away only once they were read. The statements that
//! look for rows are files, so that a test asks the planner about the very same ones.
//!
//! The rules by which postings are made now have the number 1 (`search_version`), which stands in the statements themselves, as in the
//! index `calls_not_searched`. Other rules mean the next number in both: upkeep then makes the postings of all calls anew.

use insight::search::rank::Collection;
use uuid::Uuid;

use super::{index::Rows, tokens::Token};
use crate::{
    db::{Access, DbError, TenantTx, Write},
    vault::key::Salt,
};

/// Calls that are counted for the ranking; past these, words weigh as if there were no more.
const COUNTED: i64 = 20_000;

/// A call that holds a token.
pub(super) struct Hit {
    /// The place of the token in what was asked, from 1.
    pub(super) token: i64,
    pub(super) call: Uuid,
    pub(super) frequency: i16,
    pub(super) words: i32,
}

/// Where a token stands in a call.
pub(super) struct Place {
    pub(super) token: i64,
    pub(super) call: Uuid,
    pub(super) positions: Vec<u8>,
    salt: Option<Vec<u8>>,
}

impl Place {
    pub(super) fn salt(&self) -> Option<Salt> {
        Salt::stored(self.salt.as_ref()?)
    }
}

/// Which of the tokens a row is about: places from PostgreSQL count from 1.
pub(super) fn place(ordinal: i64) -> usize {
    usize::try_from(ordinal - 1).unwrap_or_default()
}

fn bytes(tokens: &[Token]) -> Vec<Vec<u8>> {
    tokens.iter().map(|token| token.to_vec()).collect()
}

/// The newest calls that hold each of these tokens. Ids of calls grow with time (UUID v7), and the index is read backwards.
pub(super) async fn newest<A: Access>(tx: &mut TenantTx<A>, tokens: &[Token], most: i64) -> Result<Vec<Hit>, DbError> {
    let (tenant, tokens) = (tx.scope().tenant(), bytes(tokens));
    let hits = match tx.scope().sees_only() {
        Some(owner) => {
            let own = sqlx::query_file_as!(Hit, "src/search/newest_own.sql", tenant, &tokens, most, owner);
            own.fetch_all(tx.conn()).await
        }
        None => {
            let all = sqlx::query_file_as!(Hit, "src/search/newest.sql", tenant, &tokens, most);
            all.fetch_all(tx.conn()).await
        }
    };
    Ok(hits?)
}

/// Which of these calls hold these tokens.
pub(super) async fn among<A: Access>(
    tx: &mut TenantTx<A>,
    tokens: &[Token],
    calls: &[Uuid],
) -> Result<Vec<Hit>, DbError> {
    let tenant = tx.scope().tenant();
    let hits = sqlx::query_file_as!(Hit, "src/search/among.sql", tenant, &bytes(tokens), calls);
    Ok(hits.fetch_all(tx.conn()).await?)
}

/// Where these tokens stand in these calls.
pub(super) async fn places<A: Access>(
    tx: &mut TenantTx<A>,
    tokens: &[Token],
    calls: &[Uuid],
) -> Result<Vec<Place>, DbError> {
    let tenant = tx.scope().tenant();
    let places = sqlx::query_file_as!(Place, "src/search/places.sql", tenant, &bytes(tokens), calls);
    Ok(places.fetch_all(tx.conn()).await?)
}

/// How many calls there are to search, and how many words they have on average.
pub(super) async fn collection<A: Access>(tx: &mut TenantTx<A>) -> Result<Collection, DbError> {
    let tenant = tx.scope().tenant();
    let collection = match tx.scope().sees_only() {
        Some(owner) => {
            let own = sqlx::query_as!(
                Collection,
                r#"SELECT count(*)::float8 AS "calls!", coalesce(avg(c.search_words), 0)::float8 AS "mean_words!" FROM (
                     SELECT search_words FROM tenant.calls
                     WHERE tenant_id = $1 AND owner_id = $3 AND search_words IS NOT NULL LIMIT $2) c"#,
                tenant,
                COUNTED,
                owner,
            );
            own.fetch_one(tx.conn()).await
        }
        None => {
            let all = sqlx::query_as!(
                Collection,
                r#"SELECT count(*)::float8 AS "calls!", coalesce(avg(c.search_words), 0)::float8 AS "mean_words!" FROM (
                     SELECT search_words FROM tenant.calls WHERE tenant_id = $1 AND search_words IS NOT NULL LIMIT $2) c"#,
                tenant,
                COUNTED,
            );
            all.fetch_one(tx.conn()).await
        }
    };
    Ok(collection?)
}

/// Replaces the postings of a call.
pub(super) async fn replace(tx: &mut TenantTx<Write>, call: Uuid, rows: &Rows) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("DELETE FROM tenant.search_postings WHERE tenant_id = $1 AND call_id = $2", tenant, call)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "INSERT INTO tenant.search_postings (tenant_id, call_id, owner_id, call_words, term_frequency, token, positions)
           SELECT c.tenant_id, c.id, c.owner_id, $3, r.frequency, r.token, r.positions
           FROM tenant.calls c, unnest($4::bytea[], $5::smallint[], $6::bytea[]) AS r (token, frequency, positions)
           WHERE c.tenant_id = $1 AND c.id = $2",
        tenant,
        call,
        rows.words,
        &rows.tokens,
        &rows.frequencies,
        &rows.positions,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE tenant.calls SET search_words = $3, search_salt = $4, search_version = 1 WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        rows.words,
        rows.salt,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Has the postings of a call made anew by upkeep, unless somebody makes them before; until then it is found by those that it has.
pub(crate) async fn put_off(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("UPDATE tenant.calls SET search_words = NULL WHERE tenant_id = $1 AND id = $2", tenant, call)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes these tokens out of the postings of these calls, and has those made anew by upkeep.
pub(super) async fn forget(tx: &mut TenantTx<Write>, calls: &[Uuid], tokens: &[Token]) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "DELETE FROM tenant.search_postings WHERE tenant_id = $1 AND token = ANY ($2) AND call_id = ANY ($3)",
        tenant,
        &bytes(tokens),
        calls,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("UPDATE tenant.calls SET search_words = NULL WHERE tenant_id = $1 AND id = ANY ($2)", tenant, calls)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Leaves a call without postings for good.
pub(super) async fn give_up(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.calls SET search_words = 0, search_version = 1 WHERE tenant_id = $1 AND id = $2",
        tenant,
        call
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The next completed call without postings, or with those of other rules, that nobody works on.
pub(super) async fn next_missing(tx: &mut TenantTx<Write>, after: Uuid) -> Result<Option<Uuid>, DbError> {
    let tenant = tx.scope().tenant();
    let call = sqlx::query_scalar!(
        "SELECT id FROM tenant.calls WHERE tenant_id = $1 AND status = 4
           AND (search_words IS NULL OR search_version IS DISTINCT FROM 1) AND id > $2
           ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
        tenant,
        after,
    );
    Ok(call.fetch_optional(tx.conn()).await?)
}
