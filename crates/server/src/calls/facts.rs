//! What is known of a call besides its recording, as speakers are named by it and tasks dated. Its one invariant: it is read for a worker's
//! eyes, and no more of a telephone number than its end gets into what is made with it.

use chrono::FixedOffset;
use insight::facts::{Direction, Facts};
use uuid::Uuid;

use super::{DIRECTIONS, of_code, store};
use crate::{
    auth::person::Person,
    db::{Access, DbError, TenantTx},
    vault::keys::{Vault, VaultError},
};

/// What was said of a call when it came, and what its owner is called.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call; what a transaction may fail with.
pub async fn of<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Facts, VaultError> {
    let row = store::get(tx, call).await?;
    let said = store::open(tx, vault, &row).await?;
    let owner = Person::read(tx, vault, &[row.owner_id]).await?.pop();
    let direction = match of_code(&DIRECTIONS, row.direction).map_err(|_| DbError::Unexpected)? {
        api::calls::Direction::Incoming => Direction::Incoming,
        api::calls::Direction::Outgoing => Direction::Outgoing,
        api::calls::Direction::Unknown => Direction::Unknown,
    };
    let offset = said.utc_offset.and_then(FixedOffset::east_opt);
    Ok(Facts {
        direction,
        user_name: owner.and_then(|(_, person)| person.display_name),
        contact_name: said.contact_name,
        phone_number: said.phone_number,
        recorded_at: row.recorded_at.map(|at| offset.map_or(at.fixed_offset(), |offset| at.with_timezone(&offset))),
        ..Facts::default()
    })
}
