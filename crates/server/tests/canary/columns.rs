//! A canary for every content column. A new column has to be added here, which the test notices.

use std::collections::BTreeSet;

use server::{
    db::{Database, Scope},
    vault::{
        content,
        keys::Vault,
        seal::{Field, RecordKind},
    },
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::search::Canary;

/// The statements that make rows: `$1` tenant, `$2` user, `$3` the row's id, `$4` the sealed canary.
const ROWS: [(&str, &str); 14] = [
    ("tenant.tenants.sealed", "UPDATE tenant.tenants SET sealed = $4 WHERE tenant_id = $1 AND $2 <> $3"),
    ("global.users.sealed", "UPDATE global.users SET sealed = $4 WHERE id = $2 AND $1 <> $3"),
    ("tenant.calls.sealed", "INSERT INTO tenant.calls (tenant_id, owner_id, id, sealed) VALUES ($1, $2, $3, $4)"),
    ("tenant.contacts.sealed", "INSERT INTO tenant.contacts (tenant_id, owner_id, id, sealed) VALUES ($1, $2, $3, $4)"),
    (
        "tenant.voice_profiles.sealed",
        "INSERT INTO tenant.voice_profiles (tenant_id, owner_id, id, provider, model, consent_version, sealed) VALUES ($1, $2, $3, 'local', 'ge2e', 1, $4)",
    ),
    (
        "tenant.artifacts.sealed",
        "INSERT INTO tenant.artifacts (tenant_id, owner_id, call_id, kind, sealed)
           SELECT $1, $2, id, 5, $4 FROM tenant.calls WHERE id <> $3",
    ),
    (
        "tenant.action_items.sealed",
        "INSERT INTO tenant.action_items (tenant_id, owner_id, id, call_id, sealed, source)
           SELECT $1, $2, $3, id, $4, 1 FROM tenant.calls",
    ),
    (
        "tenant.api_keys.sealed",
        "INSERT INTO tenant.api_keys (tenant_id, owner_id, id, token_hash, scopes, sealed) VALUES ($1, $2, $3, sha256('t'), 0, $4)",
    ),
    (
        "tenant.workers.sealed",
        "INSERT INTO tenant.workers (tenant_id, id, token_hash, region, sealed)
           SELECT $1, $3, sha256(uuid_send($2)), 'local', $4",
    ),
    (
        "tenant.idempotency_keys.sealed",
        "INSERT INTO tenant.idempotency_keys (tenant_id, owner_id, key_hash, request_hash, sealed)
           SELECT $1, $2, sha256(uuid_send($3)), sha256('r'), $4",
    ),
    (
        "tenant.webhook_endpoints.sealed",
        "INSERT INTO tenant.webhook_endpoints (tenant_id, id, events, sealed) SELECT $1, $3, 0, $4 WHERE $2 <> $3",
    ),
    (
        "tenant.invitations.sealed",
        "INSERT INTO tenant.invitations (tenant_id, id, role, address_hmac, token_hash, sealed, expires_at)
           SELECT $1, $3, 3, sha256(uuid_send($2)), sha256('t'), $4, now()",
    ),
    (
        "tenant.uploads.sealed",
        "INSERT INTO tenant.uploads (tenant_id, owner_id, id, sealed, length, expires_at) VALUES ($1, $2, $3, $4, 0, now())",
    ),
    (
        "tenant.legal_holds.sealed",
        "INSERT INTO tenant.legal_holds (tenant_id, owner_id, actor_id, id, call_id, is_held, sealed)
           SELECT $1, $2, $2, $3, id, true, $4 FROM tenant.calls",
    ),
];

/// Makes a tenant and writes the canary into every column; returns the columns.
pub(crate) async fn write(
    database: &Database,
    vault: &Vault,
    scope: Scope,
    superuser: &mut PgConnection,
    canary: &Canary,
) -> BTreeSet<String> {
    tenant(vault, scope, superuser).await;
    let mut tx = database.write(&scope).await.unwrap();
    let key = vault.create_record_key(&mut tx, RecordKind::Tenant, scope.tenant()).await.unwrap();
    tx.commit().await.unwrap();
    for (column, statement) in ROWS {
        let row = Uuid::now_v7();
        let mut tx = database.write(&scope).await.unwrap();
        // Long enough to be stored out of line, too.
        let text = canary.text(column).repeat(200);
        let sealed = content::seal(&mut tx, &key, &Field::new(column, "sealed", row), text.as_bytes()).await.unwrap();
        tx.commit().await.unwrap();
        let done = sqlx::query(statement).bind(scope.tenant()).bind(scope.user()).bind(row).bind(sealed);
        assert_eq!(done.execute(&mut *superuser).await.unwrap().rows_affected(), 1, "{column}");
    }
    ROWS.iter().map(|(column, _)| (*column).to_owned()).collect()
}

async fn tenant(vault: &Vault, scope: Scope, superuser: &mut PgConnection) {
    let (key_id, sealed) = vault.new_user_key(scope.user()).unwrap();
    let user = "INSERT INTO global.users (id, address_hmac, key_id, sealed_key) VALUES ($1, sha256('a'), $2, $3)";
    sqlx::query(user).bind(scope.user()).bind(key_id).bind(sealed).execute(&mut *superuser).await.unwrap();
    let (key_id, sealed) = vault.new_tenant_key(scope.tenant()).unwrap();
    let tenant = "INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES ($1, $2, $3)";
    sqlx::query(tenant).bind(scope.tenant()).bind(key_id).bind(sealed).execute(&mut *superuser).await.unwrap();
    let member = "INSERT INTO tenant.memberships VALUES ($1, $2, 1)";
    sqlx::query(member).bind(scope.tenant()).bind(scope.user()).execute(superuser).await.unwrap();
}
