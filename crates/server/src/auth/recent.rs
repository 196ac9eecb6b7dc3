//! Whether somebody signed in lately: what a session that was left open, or stolen, does not get. Its one invariant: refreshing tokens makes
//! a session no younger.

use api::error::ErrorCode;
use uuid::Uuid;

use crate::{
    db::{Access, DbError, TenantTx},
    error::{ApiError, ApiResult},
};

/// How old a session may be, in minutes: time to sign in again and to find the button.
const MINUTES: i32 = 10;

/// Sessions that are looked through; who has more finds the one of just now among the latest.
const SESSIONS: i32 = 1000;

/// That a session of the transaction's user began in the last ten minutes, by the database's clock.
///
/// # Errors
/// `sign_in_again`.
pub async fn signed_in<A: Access>(tx: &mut TenantTx<A>, session: Uuid) -> ApiResult<()> {
    let is_recent = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM app.sessions_own($1) s
             WHERE s.family = $2 AND s.created_at > now() - make_interval(mins => $3)) AS "is_recent!""#,
        SESSIONS,
        session,
        MINUTES,
    );
    if is_recent.fetch_one(tx.conn()).await.map_err(DbError::from)? {
        return Ok(());
    }
    let message = "this takes a session that began in the last ten minutes: sign in again and use its token";
    Err(ApiError::new(ErrorCode::SignInAgain, message))
}
