//! A tenant as its owners and auditors see it: its audit log, and its end.

use std::pin::pin;

use axum::http::Method;
use serde_json::{Value, json};
use server::{auth::accounts, db::Role};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::{
    accounts::{PASSWORD, person},
    client::{Answer, Service},
    people::{Person, until_it_waits},
    sign_in::{Owner, login, owner, tokens},
};

/// Somebody with a role in the tenant, who signed in.
async fn colleague(service: &Service, owner: &Owner, email: &str, role: Role) -> (Uuid, String) {
    let by = server::db::Scope::authenticated(owner.tenant, owner.user, Role::Owner);
    let user = accounts::create_user(&service.app, &by, role, &person(email, PASSWORD)).await.unwrap();
    (user, tokens(&login(service, email, PASSWORD).await).0)
}

async fn log(service: &Service, token: &str, query: &str) -> Answer {
    service.call(Method::GET, &format!("/api/tenant/audit-log{query}"), Some(token)).await
}

fn actions(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn owners_and_auditors_read_what_was_done_the_latest_first_and_page_by_page() {
    let service = Service::new().await;
    let ann = owner(&service, "ann@example.org").await;
    let (auditor, auditing) = colleague(&service, &ann, "aud@example.org", Role::Auditor).await;
    let key = json!({"name": "import", "scopes": ["calls:read"]});
    let key = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&ann.access), &key).await.json();
    service.send_json(Method::PATCH, "/api/tenant", Some(&ann.access), &json!({"audioRetention": true})).await;
    let all = log(&service, &auditing, "").await.json();
    let expected = ["TURN_ON_AUDIO_RETENTION", "CHANGE_TENANT", "CREATE_API_KEY", "ADD_MEMBER", "CREATE_TENANT"];
    assert_eq!(actions(&all), expected);
    assert_eq!(log(&service, &ann.access, "").await.json(), all);
    let made = &all["items"][2];
    assert_eq!(
        (&made["sequence"], &made["subjectKind"], &made["subjectId"]),
        (&json!(3), &json!("API_KEY"), &key["apiKeyId"])
    );
    assert_eq!((&made["actorRole"], &made["actorId"]), (&json!("OWNER"), &json!(ann.user)));
    let added = &all["items"][3];
    assert_eq!((&added["subjectKind"], &added["subjectId"]), (&json!("USER"), &json!(auditor)));
    assert!(!all.to_string().contains("example.org") && !all.to_string().contains("import"), "ids alone: {all}");

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = log(&service, &auditing, &format!("?limit=2{cursor}")).await.json();
        seen.extend(actions(&page));
        // What is done meanwhile moves nothing.
        service.send_json(Method::PATCH, "/api/tenant", Some(&ann.access), &json!({"retentionDays": 30})).await;
        cursor = page["nextCursor"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert_eq!((seen, cursor.as_str()), (expected.map(str::to_owned).to_vec(), ""));
}

#[tokio::test]
async fn nobody_else_reads_the_audit_log() {
    let service = Service::new().await;
    let ann = owner(&service, "ann@example.org").await;
    for (email, role) in [("bob@example.org", Role::Admin), ("eve@example.org", Role::Member)] {
        let (_, token) = colleague(&service, &ann, email, role).await;
        assert_eq!(log(&service, &token, "").await.code(), "forbidden", "{email}");
    }
    let key = json!({"name": "key", "scopes": ["account:read", "calls:read"]});
    let key = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&ann.access), &key).await.json();
    assert_eq!(log(&service, key["token"].as_str().unwrap(), "").await.code(), "forbidden");
    let other = owner(&service, "dan@example.org").await;
    let others = log(&service, &other.access, "").await.json();
    assert_eq!(actions(&others), ["CREATE_TENANT"]);
    for wrong in ["?cursor=0", "?cursor=-1", "?cursor=x", "?limit=0", "?limit=201", "?offset=1"] {
        assert_eq!(log(&service, &ann.access, wrong).await.code(), "validation_failed", "{wrong}");
    }
}

async fn delete(service: &Service, token: &str, tenant: Uuid) -> Answer {
    service.send_json(Method::DELETE, "/api/tenant", Some(token), &json!({ "tenantId": tenant })).await
}

async fn count(service: &Service, statement: &str) -> i64 {
    let mut superuser = service.installation.postgres.superuser().await;
    let count = sqlx::query_scalar(sqlx::AssertSqlSafe(statement.to_owned())).fetch_one(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    count
}

#[tokio::test]
async fn an_owner_deletes_the_tenant_with_everybody_in_it_and_a_receipt_remains() {
    let service = Service::new().await;
    let (ann, other) = (owner(&service, "ann@example.org").await, owner(&service, "dan@example.org").await);
    let (_, bobs) = colleague(&service, &ann, "bob@example.org", Role::Member).await;
    let scope = server::db::Scope::authenticated(ann.tenant, ann.user, Role::Owner);
    Person { service: &service, scope, token: ann.access.clone() }.upload(1, "a call").await;
    let gone = delete(&service, &ann.access, ann.tenant).await;
    assert_eq!(gone.status, 204);
    let receipt = gone.headers["deletion-receipt"].to_str().unwrap();
    let receipts = format!(
        "SELECT count(*) FROM tenant.deletion_receipts WHERE id = '{receipt}' AND class = 5 AND tenant_id = '{}'",
        ann.tenant
    );
    assert_eq!(count(&service, &receipts).await, 1);
    for table in ["tenant.calls", "tenant.api_keys", "tenant.exports"] {
        assert_eq!(count(&service, &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(count(&service, "SELECT count(*) FROM global.users").await, 1, "whom another tenant has");
    for token in [&ann.access, &bobs] {
        assert_eq!(service.call(Method::GET, "/api/users/me", Some(token)).await.code(), "auth_invalid");
    }
    assert_eq!(login(&service, "ann@example.org", PASSWORD).await.status, 401);
    assert_eq!(service.call(Method::GET, "/api/tenant", Some(&other.access)).await.status, 200);
}

#[tokio::test]
async fn the_key_of_a_deleted_tenant_is_in_no_memory_of_the_program_that_deleted_it() {
    let service = Service::new().await;
    let ann = owner(&service, "ann@example.org").await;
    let scope = server::db::Scope::authenticated(ann.tenant, ann.user, Role::Owner);
    Person { service: &service, scope, token: ann.access.clone() }.upload(1, "a call").await;
    let key = async || {
        let mut tx = service.app.database.read(&scope).await.unwrap();
        service.app.vault.tenant_key(&mut tx).await.map(drop)
    };
    key().await.unwrap();
    assert_eq!(delete(&service, &ann.access, ann.tenant).await.status, 204);
    assert!(matches!(key().await, Err(server::vault::keys::VaultError::Gone(_))), "it is still open");
}

#[tokio::test]
async fn a_deletion_of_the_tenant_that_is_brought_again_is_no_fault() {
    let service = Service::new().await;
    let ann = owner(&service, "ann@example.org").await;
    let scope = server::db::Scope::authenticated(ann.tenant, ann.user, Role::Owner);
    let person = Person { service: &service, scope, token: ann.access.clone() };
    let body = json!({ "tenantId": ann.tenant }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "the-end")];
    assert_eq!(person.send(Method::DELETE, "/api/tenant", &headers, body.as_bytes()).await.status, 204);
    assert_eq!(person.send(Method::DELETE, "/api/tenant", &headers, body.as_bytes()).await.code(), "auth_invalid");
}

#[tokio::test]
async fn who_is_an_owner_no_more_when_the_deletion_begins_deletes_no_tenant() {
    let service = Service::new().await;
    let ann = owner(&service, "ann@example.org").await;
    let mut holder = service.installation.postgres.superuser().await;
    sqlx::raw_sql("BEGIN; UPDATE tenant.memberships SET role = 2").execute(&mut holder).await.unwrap();
    let mut deletion = pin!(delete(&service, &ann.access, ann.tenant));
    until_it_waits(&service, deletion.as_mut()).await;
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    assert_eq!(deletion.await.code(), "forbidden");
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.memberships").await, 1);
}

#[tokio::test]
async fn a_tenant_is_deleted_by_nobody_else_not_by_mistake_and_not_under_legal_hold() {
    let service = Service::new().await;
    let (ann, other) = (owner(&service, "ann@example.org").await, owner(&service, "dan@example.org").await);
    for (email, role) in [("bob@example.org", Role::Admin), ("eve@example.org", Role::Member)] {
        let (_, token) = colleague(&service, &ann, email, role).await;
        assert_eq!(delete(&service, &token, ann.tenant).await.code(), "forbidden", "{email}");
    }
    // The other's owner names this tenant, and this one's owner another.
    for (token, named) in [(&other.access, ann.tenant), (&ann.access, other.tenant)] {
        assert_eq!(delete(&service, token, named).await.code(), "validation_failed");
    }
    assert_ne!(service.call(Method::DELETE, "/api/tenant", Some(&ann.access)).await.status, 204, "it names none");
    let scope = server::db::Scope::authenticated(ann.tenant, ann.user, Role::Owner);
    let person = Person { service: &service, scope, token: ann.access.clone() };
    let call = person.upload(1, "evidence").await;
    let hold = json!({"held": true, "reason": "the case of the crane"});
    assert_eq!(person.json(Method::PUT, &format!("/api/calls/{call}/legal-hold"), &hold).await.status, 200);
    let held = delete(&service, &ann.access, ann.tenant).await;
    assert_eq!((held.status.as_u16(), held.code().as_str()), (409, "legal_hold"));
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.status, 200);
    let lift = json!({"held": false, "reason": "closed"});
    assert_eq!(person.json(Method::PUT, &format!("/api/calls/{call}/legal-hold"), &lift).await.status, 200);
    person.sql("UPDATE global.sessions SET created_at = created_at - interval '11 minutes'".to_owned()).await;
    assert_eq!(delete(&service, &ann.access, ann.tenant).await.code(), "sign_in_again");
    let again = tokens(&login(&service, "ann@example.org", PASSWORD).await).0;
    assert_eq!(delete(&service, &again, ann.tenant).await.status, 204);
}
