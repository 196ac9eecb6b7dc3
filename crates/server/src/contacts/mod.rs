//! The address book: whom a user's calls are with. Each contact has a key of its own, so that deleting it is destroying that.
//!
//! Invariant: a number and an e-mail address belong to one contact of a user's, and what a contact is found by is written with its document.
//!
//! ```text
//! routes  contacts over HTTP
//! link    which contact a call is with
//! store   all SQL of contacts
//! ```

pub(crate) mod link;
pub mod routes;
pub(crate) mod store;

use std::collections::BTreeSet;

use api::contacts::{Contact, ContactDetails};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    auth::person::EmailAddress,
    calls::{
        MAX_NAME, MAX_NUMBER, MAX_TEXT, check_length, filled,
        subject::{self, Token},
    },
    error::{ApiError, ApiResult},
    redaction::Written,
    vault::{key::Key, seal::Field},
};

/// Numbers of one contact: some times what anybody has.
const MAX_NUMBERS: usize = 20;

/// What is said of a contact, sealed as one. No printable form: it is content.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContactDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) phone_numbers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notes: Option<String>,
}

impl Written for ContactDocument {
    fn texts(&mut self) -> Vec<&mut String> {
        [&mut self.organization, &mut self.notes].into_iter().flatten().collect()
    }

    fn names(&mut self) -> Vec<&mut String> {
        self.name.iter_mut().collect()
    }
}

/// By what a token finds a contact. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub(crate) enum FoundBy {
    /// A number, as it was given.
    Number = 1,
    /// A number without its country, where it was given with it.
    BareNumber = 2,
    /// An e-mail address.
    Email = 3,
    /// A name.
    Name = 4,
}

impl ContactDocument {
    /// Where the document of a contact is sealed.
    pub(crate) fn field(contact: Uuid) -> Field {
        Field::new("contacts", "sealed", contact)
    }

    /// What somebody says of a contact.
    fn of(details: &ContactDetails) -> ApiResult<Self> {
        check_length("name", details.name.as_deref(), MAX_NAME)?;
        check_length("organization", details.organization.as_deref(), MAX_NAME)?;
        check_length("notes", details.notes.as_deref(), MAX_TEXT)?;
        if details.phone_numbers.len() > MAX_NUMBERS {
            return Err(ApiError::field("phoneNumbers", "a contact has at most 20 numbers"));
        }
        for number in &details.phone_numbers {
            check_length("phoneNumbers", Some(number), MAX_NUMBER)?;
            if !subject::is_number(number) {
                return Err(ApiError::field("phoneNumbers", "a telephone number has digits"));
            }
        }
        let email = filled(details.email.as_deref());
        if email.as_deref().is_some_and(|email| EmailAddress::parse(email).is_none()) {
            return Err(ApiError::field("email", "this is not an e-mail address"));
        }
        let document = Self {
            name: filled(details.name.as_deref()),
            phone_numbers: details.phone_numbers.iter().map(|number| number.trim().to_owned()).collect(),
            email,
            organization: filled(details.organization.as_deref()),
            notes: filled(details.notes.as_deref()),
        };
        if document.name.is_none() && document.phone_numbers.is_empty() && document.email.is_none() {
            return Err(ApiError::field("name", "a contact has a name, a number or an e-mail address"));
        }
        Ok(document)
    }

    /// By what the contact is found, each as a keyed hash.
    fn tokens(&self, tenant: &Key) -> BTreeSet<(FoundBy, Token)> {
        let mut tokens = BTreeSet::new();
        for number in self.phone_numbers.iter().filter_map(|number| subject::number(tenant, number)) {
            tokens.insert((FoundBy::Number, number.own));
            tokens.extend(number.bare.into_iter().map(|token| (FoundBy::BareNumber, token)));
        }
        tokens.extend(self.email.iter().map(|email| (FoundBy::Email, subject::email(tenant, email))));
        tokens.extend(self.name.iter().filter_map(|name| Some((FoundBy::Name, subject::name(tenant, name)?))));
        tokens
    }
}

impl store::Row {
    pub(crate) fn shown(&self, document: ContactDocument) -> Contact {
        let ContactDocument { name, phone_numbers, email, organization, notes } = document;
        Contact {
            contact_id: self.id,
            name,
            phone_numbers,
            email,
            organization,
            notes,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}
