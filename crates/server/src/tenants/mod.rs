//! A tenant: its settings, its members, who is invited, its API keys.
//!
//! Invariant: a tenant has an owner, and only owners make and unmake owners.

pub mod api_keys;
pub mod removal;
pub mod routes;
pub(crate) mod store;

pub use store::allowed;

use api::{
    error::ErrorCode,
    tenants::{Provider, Role, Status},
};
use uuid::Uuid;

use crate::{
    analysis_provider::OPENAI_COMPATIBLE,
    auth::{Caller, wire_role},
    db::{DbError, TenantTx, Write},
    error::{ApiError, ApiResult},
};

/// The number of a role in the database.
fn number(role: Role) -> i16 {
    match role {
        Role::Owner => 1,
        Role::Admin => 2,
        Role::Member => 3,
        Role::Auditor => 4,
    }
}

/// The role of a number in the database.
pub(crate) fn role(number: i16) -> Result<Role, DbError> {
    [Role::Owner, Role::Admin, Role::Member, Role::Auditor]
        .into_iter()
        .find(|role| self::number(*role) == number)
        .ok_or(DbError::Unexpected)
}

fn status(number: i16) -> Result<Status, DbError> {
    match number {
        1 => Ok(Status::Active),
        2 => Ok(Status::Suspended),
        3 => Ok(Status::Disabled),
        _ => Err(DbError::Unexpected),
    }
}

/// The code of a provider in the database.
fn code(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenaiCompatible => OPENAI_COMPATIBLE,
    }
}

/// The providers of codes in the database; one that this program does not know is none that it sends anything to.
fn providers(codes: &[String]) -> Vec<Provider> {
    [Provider::OpenaiCompatible]
        .into_iter()
        .filter(|provider| codes.iter().any(|known| known == code(*provider)))
        .collect()
}

/// That the caller may make somebody this, or change somebody who is.
fn may_handle(caller: &Caller, role: Role) -> ApiResult<()> {
    caller.manages()?;
    if role == Role::Owner && wire_role(caller.scope().role()) != Role::Owner {
        return Err(ApiError::new(ErrorCode::Forbidden, "only an owner makes, changes or removes an owner"));
    }
    Ok(())
}

/// That a tenant has another owner than this one. Locks all of them, so that two owners cannot remove each other.
///
/// # Errors
/// `conflict`.
pub async fn is_not_the_last_owner(tx: &mut TenantTx<Write>, user: Uuid) -> ApiResult<()> {
    if store::owners(tx).await?.iter().any(|owner| *owner != user) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Conflict, "the last owner stays: make somebody else an owner first"))
}
