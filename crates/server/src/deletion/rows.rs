//! Which rows and keys belong to what is deleted. Its one invariant: children go by the cascade of their call, within the tenant;
//! everything else is named here, so that a new table is either a call's or added to these lists (a test looks for leftovers).

use uuid::Uuid;

use crate::{
    db::{DbError, TenantTx, Write},
    queue,
    vault::{receipts::Counts, seal::RecordKind},
};

/// Runs statements that take the tenant, and whatever is in the parentheses, and adds up how many rows they touched.
macro_rules! run {
    ($tx:expr, ($($value:expr),*), $statement:literal) => {{
        let tenant = $tx.scope().tenant();
        let touched = sqlx::query!($statement, tenant $(, $value)*).execute($tx.conn()).await?.rows_affected();
        i64::try_from(touched).unwrap_or(i64::MAX)
    }};
    ($tx:expr, $values:tt, $($statement:literal),+ $(,)?) => { 0 $(+ run!($tx, $values, $statement))+ };
}

/// Whether a call that would go is under legal hold; also locks the calls and their work, so that none is put under it meanwhile.
pub(super) async fn is_held(tx: &mut TenantTx<Write>, class: RecordKind, subject: Uuid) -> Result<bool, DbError> {
    let (call, user) = match class {
        RecordKind::Call => (Some(subject), None),
        RecordKind::User => (None, Some(subject)),
        RecordKind::Tenant => (None, None),
        RecordKind::Contact | RecordKind::VoiceProfile => return Ok(false),
    };
    queue::lock(tx, call, user).await?;
    let held = sqlx::query_scalar!(
        r#"SELECT coalesce(bool_or(c.legal_hold), false) AS "held!" FROM (
             SELECT legal_hold FROM tenant.calls WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id = $2)
               AND ($3::uuid IS NULL OR owner_id = $3) ORDER BY id FOR UPDATE) c"#,
        tx.scope().tenant(),
        call,
        user,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(held)
}

/// Locks contacts of a tenant: one of them, with the calls that are linked to it, those of one user, or all. Calls come before contacts, as
/// where they are linked, and a contact before its tokens and its key, as where it is changed.
async fn lock_contacts(tx: &mut TenantTx<Write>, contact: Option<Uuid>, user: Option<Uuid>) -> Result<(), DbError> {
    run!(tx, (contact), "SELECT FROM tenant.calls WHERE tenant_id = $1 AND contact_id = $2 ORDER BY id FOR UPDATE");
    run!(
        tx,
        (contact, user),
        "SELECT FROM tenant.contacts WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id = $2)
           AND ($3::uuid IS NULL OR owner_id = $3) ORDER BY id FOR UPDATE"
    );
    Ok(())
}

/// What goes with the calls of a tenant: one of them, those of one user, or all.
async fn count_children(tx: &mut TenantTx<Write>, call: Option<Uuid>, user: Option<Uuid>) -> Result<Counts, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query!(
        r#"WITH c AS (SELECT id FROM tenant.calls WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id = $2)
             AND ($3::uuid IS NULL OR owner_id = $3))
           SELECT
             (SELECT count(*) FROM tenant.artifacts t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.action_items t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.call_metrics t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.search_postings t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.jobs t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.legal_holds t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.export_calls t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               + (SELECT count(*) FROM tenant.processing_events t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1)
               AS "rows!",
             (SELECT count(*) FROM tenant.artifacts t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1 AND t.parts > 0)
               AS "blobs!",
             (SELECT count(*) FROM tenant.run_keys t JOIN c ON t.call_id = c.id WHERE t.tenant_id = $1) AS "keys!""#,
        tenant,
        call,
        user,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Counts { rows: row.rows, blobs: row.blobs, keys: row.keys })
}

pub(super) async fn call(tx: &mut TenantTx<Write>, call: Uuid) -> Result<Counts, DbError> {
    let mut counts = count_children(tx, Some(call), None).await?;
    counts.rows += run!(
        tx,
        (call),
        "DELETE FROM tenant.calls WHERE tenant_id = $1 AND id = $2",
        "DELETE FROM tenant.uploads WHERE tenant_id = $1 AND became = $2",
    );
    counts.keys += key(tx, RecordKind::Call, call).await?;
    if counts.keys > 0 {
        blobs(tx, RecordKind::Call, call).await?;
    }
    Ok(counts)
}

pub(super) async fn contact(tx: &mut TenantTx<Write>, contact: Uuid) -> Result<Counts, DbError> {
    lock_contacts(tx, Some(contact), None).await?;
    let rows = run!(
        tx,
        (contact),
        "DELETE FROM tenant.contact_tokens WHERE tenant_id = $1 AND contact_id = $2",
        "DELETE FROM tenant.contacts WHERE tenant_id = $1 AND id = $2",
    );
    Ok(Counts { rows, blobs: 0, keys: key(tx, RecordKind::Contact, contact).await? })
}

pub(super) async fn voice_profile(tx: &mut TenantTx<Write>, profile: Uuid) -> Result<Counts, DbError> {
    let rows = voice_profiles(tx, Some(profile), None).await?;
    Ok(Counts { rows, blobs: 0, keys: key(tx, RecordKind::VoiceProfile, profile).await? })
}

/// Voice profiles, which nobody but their owner sees: one of them, those of one user, or all.
async fn voice_profiles(tx: &mut TenantTx<Write>, profile: Option<Uuid>, user: Option<Uuid>) -> Result<i64, DbError> {
    let erased = sqlx::query_scalar!(r#"SELECT app.erase_voice_profiles($1, $2) AS "erased!""#, profile, user);
    Ok(erased.fetch_one(tx.conn()).await?)
}

pub(super) async fn user(tx: &mut TenantTx<Write>, user: Uuid) -> Result<Counts, DbError> {
    lock_contacts(tx, None, Some(user)).await?;
    let mut counts = count_children(tx, None, Some(user)).await?;
    // One that is ready has an object and a key of its own.
    let ready = run!(tx, (user), "DELETE FROM tenant.exports WHERE tenant_id = $1 AND owner_id = $2 AND state = 2");
    counts.blobs += ready;
    counts.keys += ready;
    counts.rows += voice_profiles(tx, None, Some(user)).await?;
    // The calls are still there: each names a folder of blobs.
    run!(
        tx,
        (user),
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id)
           SELECT tenant_id, gen_random_uuid(), 1, id FROM tenant.calls WHERE tenant_id = $1 AND owner_id = $2"
    );
    counts.keys += run!(tx, (user), "DELETE FROM tenant.record_keys WHERE tenant_id = $1 AND owner_id = $2");
    counts.rows += ready
        + run!(
            tx,
            (user),
            "DELETE FROM tenant.exports WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.calls WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.uploads WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.contact_tokens WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.contacts WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.consents WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.idempotency_keys WHERE tenant_id = $1 AND owner_id = $2",
            "DELETE FROM tenant.api_keys WHERE tenant_id = $1 AND owner_id = $2",
        );
    forget(tx, &[user], &mut counts).await?;
    if counts.rows + counts.keys > 0 {
        blobs(tx, RecordKind::User, user).await?;
    }
    Ok(counts)
}

pub(super) async fn tenant(tx: &mut TenantTx<Write>) -> Result<Counts, DbError> {
    let tenant = tx.scope().tenant();
    lock_contacts(tx, None, None).await?;
    let mut counts = count_children(tx, None, None).await?;
    let members =
        sqlx::query_scalar!("SELECT user_id FROM tenant.memberships WHERE tenant_id = $1 ORDER BY user_id", tenant)
            .fetch_all(tx.conn())
            .await?;
    let ready = run!(tx, (), "DELETE FROM tenant.exports WHERE tenant_id = $1 AND state = 2");
    counts.blobs += ready;
    counts.keys += ready;
    counts.rows += voice_profiles(tx, None, None).await?;
    counts.keys += run!(tx, (), "DELETE FROM tenant.record_keys WHERE tenant_id = $1");
    counts.rows += ready
        + run!(
            tx,
            (),
            "DELETE FROM tenant.exports WHERE tenant_id = $1",
            "DELETE FROM tenant.calls WHERE tenant_id = $1",
            "DELETE FROM tenant.uploads WHERE tenant_id = $1",
            "DELETE FROM tenant.contact_tokens WHERE tenant_id = $1",
            "DELETE FROM tenant.contacts WHERE tenant_id = $1",
            "DELETE FROM tenant.consents WHERE tenant_id = $1",
            "DELETE FROM tenant.idempotency_keys WHERE tenant_id = $1",
            "DELETE FROM tenant.api_keys WHERE tenant_id = $1",
            "DELETE FROM tenant.topups WHERE tenant_id = $1",
            "DELETE FROM tenant.workers WHERE tenant_id = $1",
        );
    // Before what is told them, and after calls, contacts and profiles, as where they are told.
    run!(tx, (), "SELECT FROM tenant.webhook_endpoints WHERE tenant_id = $1 ORDER BY id FOR UPDATE");
    counts.rows += run!(
        tx,
        (),
        "DELETE FROM tenant.webhook_deliveries WHERE tenant_id = $1",
        "DELETE FROM tenant.webhook_endpoints WHERE tenant_id = $1",
    );
    forget(tx, &members, &mut counts).await?;
    let own = run!(tx, (), "DELETE FROM tenant.tenants WHERE tenant_id = $1");
    // The tenant's row is its key as well.
    counts.rows += own;
    counts.keys += own;
    if counts.rows > 0 {
        blobs(tx, RecordKind::Tenant, tenant).await?;
    }
    Ok(counts)
}

/// Memberships, and the people whom no other tenant has, each with a key of their own.
async fn forget(tx: &mut TenantTx<Write>, users: &[Uuid], counts: &mut Counts) -> Result<(), DbError> {
    for user in users {
        let gone = sqlx::query_scalar!(r#"SELECT app.forget_member($1) AS "gone!""#, user).fetch_one(tx.conn()).await?;
        counts.rows += i64::from(gone);
        counts.keys += i64::from(gone > 1);
    }
    Ok(())
}

async fn key(tx: &mut TenantTx<Write>, kind: RecordKind, id: Uuid) -> Result<i64, DbError> {
    let kind = kind as i16;
    Ok(run!(tx, (kind, id), "DELETE FROM tenant.record_keys WHERE tenant_id = $1 AND kind = $2 AND record_id = $3"))
}

/// Leaves word that the blobs of what is deleted are to go.
pub(super) async fn blobs(tx: &mut TenantTx<Write>, class: RecordKind, subject: Uuid) -> Result<(), DbError> {
    let (tenant, id) = (tx.scope().tenant(), Uuid::now_v7());
    sqlx::query!(
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id) VALUES ($1, $2, $3, $4)",
        tenant,
        id,
        class as i16,
        subject,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
