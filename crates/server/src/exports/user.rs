//! What there is about a user besides calls, one JSON file a class, each shown on the page too. Its one invariant: it reads as the user
//! would, so what is another's cannot be in it; secrets, which are stored as hashes, are not.
//!
//! A table with an `owner_id` is either read here or in `calls`, or is on the list of a test with the reason why not.

use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    build::{Building, Failure, auditing, hold},
    page::Page,
};
use crate::{
    audit::Action,
    auth::{person::Person, tenant},
    calls::tus,
    db::{DbError, Reason, TenantTx, Write},
    tenants, users,
    vault::{
        content::{self, Stored},
        seal::RecordKind,
    },
    voice_profiles,
};

/// Rows of one class: some thousand times what anybody has; a class that has more is a fault.
const MOST: i64 = 100_000;

/// Audit events that are read together.
const EVENTS: i64 = 1000;

/// Adds every class.
pub(super) async fn fill(building: &mut Building<'_>, page: &mut Page) -> Result<(), Failure> {
    let mut tx = building.app.database.write(&building.scope).await?;
    hold(building.claim, &mut tx).await?;
    let classes = [
        ("profile", "Profile", profile(building, &mut tx).await?),
        ("memberships", "Tenants", memberships(building).await?),
        ("consents", "Consents", consents(&mut tx).await?),
        ("voice-profile", "Voice profile", voice_profile(&mut tx).await?),
        ("sessions", "Where you are signed in", sessions(&mut tx).await?),
        ("api-keys", "API keys", api_keys(building, &mut tx).await?),
        ("uploads", "Uploads that have not ended", uploads(building, &mut tx).await?),
        ("exports", "Exports", exports(&mut tx).await?),
    ];
    tx.commit().await?;
    for (name, title, value) in classes {
        let file = format!("{name}.json");
        building.archive.entry(&file, serde_json::to_vec_pretty(&value)?.into()).await?;
        page.section(title, &file, &value);
    }
    let events = audit(building).await?;
    page.section("What you did, and what was done about you", "audit.json", &json!({ "events": events }));
    Ok(())
}

async fn profile(building: &Building<'_>, tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let (vault, scope) = (&building.app.vault, tx.scope());
    let person = Person::read(tx, vault, &[scope.user()]).await?.pop().map(|(user, person)| person.of(user));
    let row = sqlx::query!(
        "SELECT role, created_at FROM tenant.memberships WHERE tenant_id = $1 AND user_id = $2",
        scope.tenant(),
        scope.user(),
    )
    .fetch_one(tx.conn())
    .await
    .map_err(DbError::from)?;
    let tenant_name = tenant::name(tx, vault).await?;
    Ok(json!({
        "userId": scope.user(), "email": person.as_ref().map(|person| &person.email),
        "displayName": person.as_ref().and_then(|person| person.display_name.as_ref()),
        "tenantId": scope.tenant(), "tenantName": tenant_name, "role": tenants::role(row.role)?, "memberSince": row.created_at,
    }))
}

/// Tenants that have the user, this one and others, whose data is asked for there.
async fn memberships(building: &Building<'_>) -> Result<Value, Failure> {
    let mut tx = building.app.database.system(Reason::SignIn).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", role AS "role!" FROM app.memberships_of($1) ORDER BY tenant_id LIMIT $2"#,
        building.claim.owner,
        MOST,
    );
    let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?;
    tx.commit().await?;
    let rows = rows.into_iter().map(|row| Ok(json!({ "tenantId": row.tenant, "role": tenants::role(row.role)? })));
    Ok(rows.collect::<Result<_, DbError>>()?)
}

/// Every consent there ever was, with its version and times.
async fn consents(tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let scope = tx.scope();
    let rows = sqlx::query!(
        "SELECT kind, version, given_at, withdrawn_at FROM tenant.consents WHERE tenant_id = $1 AND owner_id = $2
           ORDER BY given_at, id LIMIT $3",
        scope.tenant(),
        scope.user(),
        MOST,
    );
    let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?.into_iter().map(|row| {
        Ok(json!({
            "kind": users::kind(row.kind)?, "version": row.version, "givenAt": row.given_at, "withdrawnAt": row.withdrawn_at,
        }))
    });
    Ok(rows.collect::<Result<_, DbError>>()?)
}

/// Of the voice profile, all but what it holds: only the model that made it can read that, and nobody else is to.
async fn voice_profile(tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let profile = voice_profiles::store::own(tx).await?;
    Ok(json!(profile.map(|profile| json!({
        "voiceProfileId": profile.id, "createdAt": profile.created_at, "provider": profile.provider, "model": profile.model,
        "consentVersion": profile.consent_version,
    }))))
}

async fn sessions(tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let rows = sqlx::query!(
        r#"SELECT family AS "family!", tenant_id AS "tenant!", created_at AS "created_at!", last_used_at AS "last_used_at!",
             expires_at AS "expires_at!" FROM app.sessions_own($1)"#,
        i32::try_from(MOST).unwrap_or(i32::MAX),
    );
    let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?.into_iter().map(|row| {
        json!({
            "sessionId": row.family, "tenantId": row.tenant, "createdAt": row.created_at, "lastUsedAt": row.last_used_at,
            "expiresAt": row.expires_at,
        })
    });
    Ok(rows.collect())
}

/// Revoked ones too.
async fn api_keys(building: &Building<'_>, tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let scope = tx.scope();
    let rows = sqlx::query!(
        r#"SELECT id, scopes, sealed AS "sealed: Vec<u8>", created_at, used_at, expires_at, revoked_at FROM tenant.api_keys
           WHERE tenant_id = $1 AND owner_id = $2 ORDER BY id LIMIT $3"#,
        scope.tenant(),
        scope.user(),
        MOST,
    );
    let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?;
    if rows.is_empty() {
        return Ok(json!([]));
    }
    let key = building.app.vault.record_key(tx, RecordKind::Tenant, scope.tenant()).await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let name = row.sealed.map(|sealed| {
            content::open(&Stored { key: &key, field: tenants::api_keys::field(row.id), sealed: &sealed })
        });
        let name = name.transpose()?;
        keys.push(json!({
            "apiKeyId": row.id, "name": name.map(|name| String::from_utf8_lossy(&name).into_owned()),
            "scopes": tenants::api_keys::scopes_of(row.scopes), "createdAt": row.created_at, "usedAt": row.used_at,
            "expiresAt": row.expires_at, "revokedAt": row.revoked_at,
        }));
    }
    Ok(keys.into())
}

async fn uploads(building: &Building<'_>, tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let scope = tx.scope();
    let rows = sqlx::query!(
        r#"SELECT id, length, received, sealed AS "sealed!: Vec<u8>", created_at, expires_at FROM tenant.uploads
           WHERE tenant_id = $1 AND owner_id = $2 AND sealed IS NOT NULL ORDER BY id LIMIT $3"#,
        scope.tenant(),
        scope.user(),
        MOST,
    );
    let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let keys = building.app.vault.record_keys(tx, RecordKind::Call, &ids).await?;
    let mut uploads = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(key) = keys.get(&row.id) else { continue };
        let said = content::open(&Stored { key, field: tus::field(row.id), sealed: &row.sealed })?;
        uploads.push(json!({
            "uploadId": row.id, "said": serde_json::from_slice::<Value>(&said)?, "bytes": row.length,
            "receivedBytes": row.received, "createdAt": row.created_at, "expiresAt": row.expires_at,
        }));
    }
    Ok(uploads.into())
}

async fn exports(tx: &mut TenantTx<Write>) -> Result<Value, Failure> {
    let scope = tx.scope();
    let rows = sqlx::query!(
        "SELECT id, kind, created_at, expires_at FROM tenant.exports WHERE tenant_id = $1 AND owner_id = $2 ORDER BY id LIMIT $3",
        scope.tenant(),
        scope.user(),
        MOST,
    );
    let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?.into_iter().map(|row| {
        let kind = if row.kind == super::Kind::User as i16 { "USER" } else { "DATA_SUBJECT" };
        json!({ "exportId": row.id, "kind": kind, "createdAt": row.created_at, "expiresAt": row.expires_at })
    });
    Ok(rows.collect())
}

/// Events that the user made, or that are about them, oldest first. The log may be long: it is written as it is read. Returns how many.
async fn audit(building: &mut Building<'_>) -> Result<u64, Failure> {
    let (mut count, mut after, user) = (0, 0, building.claim.owner);
    building.archive.begin("audit.json").await?;
    building.archive.add("[").await?;
    loop {
        let mut tx = building.app.database.read(&auditing(building.claim)).await?;
        let rows = sqlx::query!(
            "SELECT sequence, at, actor_id, action, subject_id FROM tenant.audit_events
               WHERE tenant_id = $1 AND sequence > $2 AND (actor_id = $3 OR subject_id = $3) ORDER BY sequence LIMIT $4",
            building.claim.tenant,
            after,
            user,
            EVENTS,
        );
        let rows = rows.fetch_all(tx.conn()).await.map_err(DbError::from)?;
        tx.commit().await?;
        let Some(last) = rows.last() else { break };
        after = last.sequence;
        let mut text = Zeroizing::new(Vec::new());
        for row in rows {
            text.extend(if count == 0 { "\n" } else { ",\n" }.as_bytes());
            count += 1;
            let event = json!({
                "sequence": row.sequence, "at": row.at, "action": Action::name(row.action), "actorId": row.actor_id,
                "subjectId": row.subject_id, "byUser": row.actor_id == user,
            });
            serde_json::to_writer(&mut *text, &event)?;
        }
        building.archive.add(text).await?;
    }
    building.archive.add("\n]\n").await?;
    Ok(count)
}
