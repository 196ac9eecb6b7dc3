//! Exports: what is in them, who gets them, and how they end.

mod content;
mod ends;
mod guards;
mod memory;
mod recordings;
mod subjects;

use std::{collections::BTreeMap, io::Read as _};

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    auth::accounts,
    db::{Role, Scope},
    exports, worker,
};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::{
    accounts::{PASSWORD, person},
    client::{Answer, Service},
    people::Person,
    sign_in::{login, owner, tokens},
};

const OWN: &str = "/api/users/me/export";
const SUBJECTS: &str = "/api/tenant/data-subjects/export";

/// An owner who signed in with a password.
pub(crate) async fn ann(service: &Service) -> Person<'_> {
    owner_of_another(service, "ann@example.org").await
}

/// The owner of a tenant with this address.
async fn owner_of_another<'a>(service: &'a Service, email: &str) -> Person<'a> {
    let owner = owner(service, email).await;
    Person { service, scope: Scope::authenticated(owner.tenant, owner.user, Role::Owner), token: owner.access }
}

/// A member of the same tenant, who signed in with a password.
async fn bob<'a>(of: &Person<'a>) -> Person<'a> {
    let new = person("bob@example.org", PASSWORD);
    let user = accounts::create_user(&of.service.app, &of.scope, Role::Member, &new).await.unwrap();
    let scope = Scope::authenticated(of.scope.tenant(), user, Role::Member);
    let (token, _) = tokens(&login(of.service, "bob@example.org", PASSWORD).await);
    Person { service: of.service, scope, token }
}

/// Asks for an export; gives its address.
async fn ask(person: &Person<'_>) -> String {
    let answer = person.send(Method::POST, OWN, &[], b"").await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    format!("{OWN}/{}", answer.json()["exportId"].as_str().unwrap())
}

async fn ask_about(person: &Person<'_>, subject: &Value) -> String {
    let answer = person.json(Method::POST, SUBJECTS, subject).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    format!("{SUBJECTS}/{}", answer.json()["exportId"].as_str().unwrap())
}

/// Builds what was asked for.
async fn build(service: &Service) {
    exports::work(&service.app).await.unwrap();
}

async fn download(person: &Person<'_>, export: &str) -> Answer {
    person.get(&format!("{export}/download")).await
}

/// The files of an archive.
fn files(answer: &Answer) -> BTreeMap<String, Vec<u8>> {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&answer.body)).unwrap();
    let read = |place| {
        let mut file = archive.by_index(place).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().to_owned(), content)
    };
    (0..zip::ZipArchive::new(std::io::Cursor::new(&answer.body)).unwrap().len()).map(read).collect()
}

/// Everything about somebody: the names of the files, and what they hold.
pub(crate) async fn archive(person: &Person<'_>) -> String {
    let export = ask(person).await;
    build(person.service).await;
    let files = files(&download(person, &export).await);
    files.iter().map(|(name, content)| format!("{name}\n{}\n", String::from_utf8_lossy(content))).collect()
}

/// A file of an archive as JSON.
fn json_of(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The state and the error of an export.
async fn state(person: &Person<'_>, export: &str) -> (String, Value) {
    let shown = person.get(export).await.json();
    (shown["status"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned(), shown["errorReason"].clone())
}

/// Moves the clock of every export: so many hours have passed.
async fn hours_pass(person: &Person<'_>, hours: u32) {
    person
        .sql(format!(
            "UPDATE tenant.exports SET created_at = created_at - interval '{hours} hours', expires_at = expires_at - interval '{hours} hours'"
        ))
        .await;
}

/// What the upkeep does of every minute, as it does it.
async fn sweep(service: &Service, person: &Person<'_>) {
    let mut tx = service.app.database.write(&worker::sweep::scope(person.scope.tenant())).await.unwrap();
    exports::sweep(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// What a statement counts, around the gate.
async fn count(service: &Service, statement: &str) -> i64 {
    let mut superuser = service.installation.postgres.superuser().await;
    let count = sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    count
}

/// A recording's metadata.
fn with(number: Option<&str>, name: Option<&str>) -> String {
    json!({ "phoneNumber": number, "contactName": name }).to_string()
}
