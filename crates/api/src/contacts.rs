//! Contacts: whom a user's calls are with.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A contact of the address book.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The contact.
    pub contact_id: Uuid,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their numbers, as they were given.
    pub phone_numbers: Vec<String>,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// For whom they work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What the user noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// When they came into the address book.
    pub created_at: DateTime<Utc>,
    /// When anything of them last changed.
    pub updated_at: DateTime<Utc>,
}

/// Everything that is said of a contact: a name, a number or an e-mail address at least. A number and an e-mail address belong to one
/// contact of a user's.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ContactDetails {
    /// At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub name: Option<String>,
    /// At most 20, each of at most 64 characters. With its country (`+49 …`) a number is recognised however a call writes it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub phone_numbers: Vec<String>,
    /// An e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub organization: Option<String>,
    /// At most 20,000 characters. What the tenant has taken out of transcripts is taken out of them as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    pub notes: Option<String>,
}

unprinted!(Contact ContactDetails);
