//! What a tenant is called: a sealed document under the record key that belongs to the tenant as a whole.
//!
//! Invariant: every tenant has a name, from the transaction that makes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    db::{Access, DbError, TenantTx, Write},
    vault::{
        content::{self, Stored},
        keys::{Vault, VaultError},
        seal::{Broken, Field, RecordKind},
    },
};

/// The sealed fields of a tenant.
#[derive(Serialize, Deserialize)]
struct Document {
    name: String,
}

fn field(tenant: Uuid) -> Field {
    Field::new("tenants", "sealed", tenant)
}

/// Seals and stores the name of the transaction's tenant.
///
/// # Errors
/// [`VaultError::Gone`] when the tenant has no key, or its name may not be changed.
pub async fn store_name(tx: &mut TenantTx<Write>, vault: &Vault, name: &str) -> Result<(), VaultError> {
    let tenant = tx.scope().tenant();
    let key = vault.record_key(tx, RecordKind::Tenant, tenant).await?;
    // A string always has a JSON form.
    let document = Zeroizing::new(serde_json::to_vec(&Document { name: name.to_owned() }).unwrap_or_default());
    let sealed = content::seal(tx, &key, &field(tenant), &document).await?;
    let stored = sqlx::query!(
        "UPDATE tenant.tenants SET sealed = $2, updated_at = now() WHERE tenant_id = $1",
        tenant,
        sealed as _
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    if stored.rows_affected() == 1 { Ok(()) } else { Err(VaultError::Gone(format!("tenant {tenant}"))) }
}

/// The name of the transaction's tenant; `None` when it was made without one.
///
/// # Errors
/// [`VaultError::Broken`] when it was tampered with.
pub async fn name<A: Access>(tx: &mut TenantTx<A>, vault: &Vault) -> Result<Option<String>, VaultError> {
    let tenant = tx.scope().tenant();
    let sealed = sqlx::query_scalar!(
        r#"SELECT sealed AS "sealed!: Vec<u8>" FROM tenant.tenants WHERE tenant_id = $1 AND sealed IS NOT NULL"#,
        tenant
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    let Some(sealed) = sealed else { return Ok(None) };
    let key = vault.record_key(tx, RecordKind::Tenant, tenant).await?;
    let plain = content::open(&Stored { key: &key, field: field(tenant), sealed: &sealed })?;
    let document: Document = serde_json::from_slice(&plain).map_err(|_| Broken::at(field(tenant)))?;
    Ok(Some(document.name))
}
