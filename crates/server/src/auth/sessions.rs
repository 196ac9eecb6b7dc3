//! Sessions (H18): a family of refresh tokens each, of which the youngest is good once.
//!
//! Invariant: a refresh token has at most one child, whatever happens at once; the child follows from its parent under a key that only the
//! program has, so that whoever lost the answer is given the same child again, for [`GRACE`] and until the child was used.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{
    accounts::Proved,
    caller::{disabled, invalid},
    liveness::{self, Live, Status, Subject},
    secret::{self, Prefix},
    tokens::TokenRole,
};
use crate::{
    app::App,
    db::{DbError, Reason, Role},
    error::{ApiError, ApiResult},
    telemetry::log,
};

/// A session that is not used for so long ends.
pub const IDLE: TimeDelta = TimeDelta::days(14);

/// However much it is used, a session ends then.
pub const LONGEST: TimeDelta = TimeDelta::days(90);

/// For how long a used token gives its child again: an answer that was lost is asked for again at once.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Outcomes of `app.session_rotate`.
const CHILD: i16 = 1;
const REUSED: i16 = 3;

/// What a client is given.
pub(super) struct Issued {
    pub(super) session: Uuid,
    pub(super) access: SecretString,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) refresh: SecretString,
}

/// A new session in a tenant; `None` when what was proved is not so any more.
pub(super) async fn begin(app: &App, proved: &Proved, tenant: Uuid) -> ApiResult<Option<Issued>> {
    let session = Uuid::now_v7();
    let refresh = secret::generate(Prefix::Refresh).map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.database.system(Reason::SignIn).await?;
    let begun = sqlx::query_scalar!(
        r#"SELECT app.session_add($1, $2, $3, $4, $5, $6) AS "begun!""#,
        session,
        proved.user,
        tenant,
        proved.credential,
        &secret::hash(refresh.expose_secret())[..],
        IDLE as _,
    )
    .fetch_one(tx.conn())
    .await
    .map_err(DbError::from)?;
    tx.commit().await?;
    if !begun {
        return Ok(None);
    }
    Ok(Some(issue(app, (session, proved.user, tenant), refresh).await?))
}

/// Uses a refresh token.
pub(super) async fn rotate(app: &App, token: &SecretString) -> ApiResult<Issued> {
    let child = secret::successor(Prefix::Refresh, &app.auth.successors, token);
    let mut tx = app.database.system(Reason::SignIn).await?;
    let row = sqlx::query!(
        r#"SELECT outcome AS "outcome!", family, user_id AS "user", tenant_id AS tenant
           FROM app.session_rotate($1, $2, $3, $4, $5, $6)"#,
        &secret::hash(token.expose_secret())[..],
        Uuid::now_v7(),
        &secret::hash(child.expose_secret())[..],
        IDLE as _,
        LONGEST as _,
        GRACE as _,
    )
    .fetch_one(tx.conn())
    .await
    .map_err(DbError::from)?;
    tx.commit().await?;
    match (row.outcome, row.family, row.user, row.tenant) {
        (CHILD, Some(family), Some(user), Some(tenant)) => issue(app, (family, user, tenant), child).await,
        (REUSED, Some(family), ..) => {
            app.auth.liveness.forget();
            log::warning!(session = family, "a refresh token was used again: its session was revoked");
            Err(invalid())
        }
        _ => Err(invalid()),
    }
}

/// Ends the session of a refresh token; of an unknown one nothing.
pub(super) async fn end(app: &App, token: &SecretString) -> ApiResult<()> {
    let mut tx = app.database.system(Reason::SignIn).await?;
    sqlx::query_scalar!("SELECT app.session_end($1)", &secret::hash(token.expose_secret())[..])
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    tx.commit().await?;
    app.auth.liveness.forget();
    Ok(())
}

/// An access token for a session, in the role of now.
async fn issue(app: &App, (family, user, tenant): (Uuid, Uuid, Uuid), refresh: SecretString) -> ApiResult<Issued> {
    let live = liveness::of(app, Subject::Session { family, user, tenant }).await?.ok_or_else(invalid)?;
    let Live { role, status, .. } = live;
    if status == Status::Disabled {
        return Err(disabled());
    }
    let (access, expires_at) = app
        .auth
        .tokens
        .issue((tenant, user, token_role(role)), family, app.clock.now())
        .map_err(|_| ApiError::internal("an access token could not be signed"))?;
    Ok(Issued { session: family, access: access.into(), expires_at, refresh })
}

/// A role as a token says it. Nobody is a worker by signing in.
fn token_role(role: Role) -> TokenRole {
    match role {
        Role::Owner => TokenRole::Owner,
        Role::Admin => TokenRole::Admin,
        Role::Member | Role::Worker => TokenRole::Member,
        Role::Auditor => TokenRole::Auditor,
        Role::Colleague => TokenRole::Colleague,
    }
}
