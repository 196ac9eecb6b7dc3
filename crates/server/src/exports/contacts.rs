//! Contacts in an archive: the user's address book, or whom of the tenant's address books a data subject is. Its one invariant: the file is
//! written as it is read; of a long address book the page shows the beginning.

use api::contacts::Contact;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    build::{Building, Failure, hold},
    page::Page,
};
use crate::contacts::store;

/// Contacts that are read together.
const BATCH: i64 = 200;

/// Contacts that the page shows: what somebody reads. The file has all of them.
const SHOWN: usize = 1000;

/// Adds them.
pub(super) async fn fill(building: &mut Building<'_>, page: &mut Page) -> Result<(), Failure> {
    let (mut after, mut count, mut shown) = (Uuid::nil(), 0_u64, Vec::new());
    building.archive.begin("contacts.json").await?;
    building.archive.add("[").await?;
    loop {
        let mut tx = building.app.database.write(&building.scope).await?;
        hold(building.claim, &mut tx).await?;
        let rows = store::exported(&mut tx, building.tokens.as_deref(), after, BATCH).await?;
        let documents = store::open_all(&mut tx, &building.app.vault, &rows).await?;
        tx.commit().await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        let mut text = Zeroizing::new(Vec::new());
        for (row, document) in rows.iter().zip(documents) {
            text.extend(if count == 0 { "\n" } else { ",\n" }.as_bytes());
            count += 1;
            let contact = row.shown(document);
            serde_json::to_writer(&mut *text, &contact)?;
            if shown.len() < SHOWN {
                shown.push(readable(&contact));
            }
        }
        building.archive.add(text).await?;
    }
    building.archive.add("\n]\n").await?;
    page.section("Contacts", "contacts.json", &Value::Array(shown));
    Ok(())
}

/// A row of the page: each has every column.
fn readable(contact: &Contact) -> Value {
    json!({
        "name": contact.name, "phoneNumbers": contact.phone_numbers.join(", "), "email": contact.email,
        "organization": contact.organization, "notes": contact.notes, "createdAt": contact.created_at,
    })
}
