//! What is told to others when it ends. Its one invariant: word of it is left in the transaction in which it ends, so that what is undone is
//! told to nobody; and what is told are ids and times (`api::webhooks::WebhookMessage` holds nothing else).
//!
//! [`crate::webhooks`] carries it to the endpoints of the tenant.

use api::webhooks::{Ping, WebhookEvent, WebhookType};
use uuid::Uuid;

use crate::{
    db::{DbError, TenantTx, Write},
    vault::seal::RecordKind,
};

/// Events by their number in the database, from 1.
pub(crate) const EVENTS: [WebhookEvent; 7] = [
    WebhookEvent::CallCompleted,
    WebhookEvent::CallFailed,
    WebhookEvent::CallDeleted,
    WebhookEvent::ContactDeleted,
    WebhookEvent::VoiceProfileDeleted,
    WebhookEvent::UserDeleted,
    WebhookEvent::TenantDeleted,
];

/// The number of a ping, which is no event.
const PING: i16 = 8;

/// The number of a type in the database.
pub(crate) fn number(of: WebhookType) -> i16 {
    match of {
        WebhookType::Ping(Ping::Ping) => PING,
        WebhookType::Event(event) => match event {
            WebhookEvent::CallCompleted => 1,
            WebhookEvent::CallFailed => 2,
            WebhookEvent::CallDeleted => 3,
            WebhookEvent::ContactDeleted => 4,
            WebhookEvent::VoiceProfileDeleted => 5,
            WebhookEvent::UserDeleted => 6,
            WebhookEvent::TenantDeleted => 7,
        },
    }
}

/// The type of a number.
pub(crate) fn numbered(number: i16) -> Option<WebhookType> {
    if number == PING {
        return Some(WebhookType::Ping(Ping::Ping));
    }
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    EVENTS.get(place).copied().map(WebhookType::Event)
}

/// The bit of an event in the set that an endpoint is told.
pub(crate) fn bit(event: WebhookEvent) -> i32 {
    1 << (number(WebhookType::Event(event)) - 1)
}

/// What is told when a thing of this kind is deleted.
pub(crate) fn deleted(class: RecordKind) -> WebhookEvent {
    match class {
        RecordKind::Call => WebhookEvent::CallDeleted,
        RecordKind::Contact => WebhookEvent::ContactDeleted,
        RecordKind::VoiceProfile => WebhookEvent::VoiceProfileDeleted,
        RecordKind::User => WebhookEvent::UserDeleted,
        RecordKind::Tenant => WebhookEvent::TenantDeleted,
    }
}

/// Leaves word of something that ended, for whoever is to be told of it.
///
/// # Errors
/// When the transaction fails, and with it what it tells of.
pub(crate) async fn leave(
    tx: &mut TenantTx<Write>,
    event: WebhookEvent,
    (subject, receipt): (Uuid, Option<Uuid>),
) -> Result<(), DbError> {
    sqlx::query!("SELECT app.webhook_tell($1, $2, $3)", number(WebhookType::Event(event)), subject, receipt as _)
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_number_of_its_own_and_is_found_by_it() {
        for (place, event) in EVENTS.into_iter().enumerate() {
            let event = WebhookType::Event(event);
            assert_eq!(usize::try_from(number(event)).unwrap(), place + 1);
            assert_eq!(numbered(number(event)), Some(event));
        }
        assert_eq!(numbered(PING), Some(WebhookType::Ping(Ping::Ping)));
        assert_eq!((numbered(0), numbered(-1), numbered(9)), (None, None, None));
    }
}
