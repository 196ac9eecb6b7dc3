//! A tenant's endpoints, which are told what ends in messages that are signed as Standard Webhooks are. Its one invariant: what leaves are
//! ids and times, to public addresses alone; address and secret of an endpoint are sealed, and in no log, metric or error.
//!
//! ```text
//! routes      endpoints over HTTP
//! deliveries  messages to them over HTTP
//! store       all SQL of endpoints
//! outbox      all SQL of messages
//! target      where messages may go
//! send        one message: signed, sent, what came of it
//! deliver     all that are due, by turns; again where that failed; the last word of a tenant
//! ```

pub mod deliver;
pub mod deliveries;
mod outbox;
pub mod routes;
mod send;
mod store;
mod target;

use api::webhooks::{Webhook, WebhookEvent, WebhookStatus};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

pub use outbox::sweep;
pub use send::Sender;

use crate::{
    audit::Action,
    db::{DbError, TenantTx, Write},
    notices,
    vault::{
        key::{Key, NotSealed},
        seal::Field,
    },
};

/// What stands before a secret, by which people and scanners of repositories know it.
const PREFIX: &str = "whsec_";

/// What only the tenant knows of an endpoint, sealed as one. No printable form: it is content.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(serialize_with = "exposed")]
    secret: SecretString,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Previous>,
}

/// A secret that was replaced, and until when it signs as well.
#[derive(Clone, Serialize, Deserialize)]
struct Previous {
    #[serde(serialize_with = "exposed")]
    secret: SecretString,
    until: DateTime<Utc>,
}

/// For the document, which is sealed.
fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// A new secret: 256 random bits.
fn new_secret() -> Result<SecretString, NotSealed> {
    Ok(format!("{PREFIX}{}", STANDARD.encode(Key::generate()?.expose())).into())
}

impl Document {
    /// Where the document of an endpoint is sealed: under the tenant's own record key.
    fn field(endpoint: Uuid) -> Field {
        Field::new("webhook_endpoints", "sealed", endpoint)
    }

    /// What signs now.
    fn secrets(&self, now: DateTime<Utc>) -> impl Iterator<Item = &SecretString> {
        let previous = self.previous.iter().filter(move |previous| now < previous.until);
        std::iter::once(&self.secret).chain(previous.map(|previous| &previous.secret))
    }
}

/// Whether an endpoint is told anything. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
enum State {
    Enabled = 1,
    Disabled = 2,
    Gone = 3,
    Failing = 4,
}

impl State {
    fn numbered(number: i16) -> Result<Self, DbError> {
        let all = [Self::Enabled, Self::Disabled, Self::Gone, Self::Failing];
        all.into_iter().find(|state| *state as i16 == number).ok_or(DbError::Unexpected)
    }

    fn shown(self) -> WebhookStatus {
        match self {
            Self::Enabled => WebhookStatus::Enabled,
            Self::Disabled => WebhookStatus::Disabled,
            Self::Gone => WebhookStatus::Gone,
            Self::Failing => WebhookStatus::Failing,
        }
    }
}

/// Does again to an endpoint of a restored backup what was done to it since; returns how many rows went. What it was changed to nobody
/// knows any more, so one that was changed is told nothing until somebody looks at it.
///
/// # Errors
/// When the transaction fails.
pub(crate) async fn redo(tx: &mut TenantTx<Write>, (action, endpoint): (i16, Uuid)) -> Result<i64, DbError> {
    match store::lock(tx, endpoint).await {
        Err(DbError::NotFound) => return Ok(0),
        row => row?,
    };
    if action == Action::DeleteWebhook as i16 {
        store::delete(tx, endpoint).await?;
        return Ok(1);
    }
    let changes = [Action::ChangeWebhook, Action::ReplaceWebhookSecret, Action::DisableWebhook];
    if changes.iter().any(|change| *change as i16 == action) {
        store::set_state(tx, endpoint, State::Disabled).await?;
    }
    Ok(0)
}

/// Events as the set that the database has.
fn bits(events: &[WebhookEvent]) -> i32 {
    events.iter().fold(0, |bits, event| bits | notices::bit(*event))
}

impl store::Row {
    /// As the API says it, without the secret.
    fn shown(&self, document: &Document) -> Result<Webhook, DbError> {
        Ok(Webhook {
            webhook_id: self.id,
            url: document.url.clone(),
            description: document.description.clone(),
            events: notices::EVENTS.into_iter().filter(|event| self.events & notices::bit(*event) != 0).collect(),
            status: State::numbered(self.state)?.shown(),
            failing_since: self.failing_since,
            created_at: self.created_at,
            secret: None,
        })
    }
}
