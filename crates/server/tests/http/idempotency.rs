//! Changes that are asked for twice.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{Router, http::Method, routing::post};
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    auth::tokens::TokenRole,
    db::{Role, Scope},
    router,
};

use tokio::sync::Notify;

use crate::{
    accounts::PASSWORD,
    client::{Answer, Service},
    people::{Person, recording},
    sign_in::owner,
};

/// An owner who has signed in.
async fn ann(service: &Service) -> Person<'_> {
    let owner = owner(service, "ann@example.org").await;
    let scope = Scope::authenticated(owner.tenant, owner.user, Role::Owner);
    Person { service, scope, token: owner.access }
}

impl Person<'_> {
    async fn with_key(&self, method: Method, path: &str, key: &str, body: &str) -> Answer {
        self.send(method, path, &[("idempotency-key", key), ("content-type", "application/json")], body.as_bytes())
            .await
    }
}

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_answered_as_before_and_not_made_again() {
    let service = Service::new().await;
    let mut person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let first = person.with_key(Method::PATCH, &path, "k1", r#"{"title": "one"}"#).await;
    person.with_key(Method::PATCH, &path, "k2", r#"{"title": "two"}"#).await;
    let again = person.with_key(Method::PATCH, &path, "k1", r#"{"title": "one"}"#).await;
    assert_eq!((again.json(), &again.headers["idempotency-replayed"]), (first.json(), &"true".parse().unwrap()));
    assert_eq!(person.get(&path).await.json()["title"], "two");
    let other = person.with_key(Method::PATCH, &path, "k1", r#"{"title": "three"}"#).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (409, "idempotency_conflict"));
    // A key is its user's own, and is kept for a day.
    let member = person.member().await;
    assert_eq!(member.with_key(Method::PATCH, &path, "k1", r#"{"title": "one"}"#).await.code(), "call_not_found");
    service.app.clock.advance(TimeDelta::hours(24));
    person.renew();
    assert_eq!(person.with_key(Method::PATCH, &path, "k1", r#"{"title": "three"}"#).await.json()["title"], "three");
    for wrong in ["", "with space", &"x".repeat(256)] {
        assert_eq!(person.with_key(Method::PATCH, &path, wrong, "{}").await.code(), "validation_failed", "{wrong}");
    }
}

#[tokio::test]
async fn a_deletion_that_is_asked_for_again_gives_the_same_receipt() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let first = person.with_key(Method::DELETE, &path, "k", "").await;
    let again = person.with_key(Method::DELETE, &path, "k", "").await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (204, 204));
    assert_eq!(first.headers["deletion-receipt"], again.headers["deletion-receipt"]);
    assert_eq!(person.with_key(Method::DELETE, &path, "another", "").await.code(), "call_not_found");
}

#[tokio::test]
async fn of_many_requests_with_one_key_at_once_one_is_served() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let requests = (0..5).map(|_| person.with_key(Method::DELETE, &path, "k", ""));
    let answers = futures::future::join_all(requests).await;
    let served =
        answers.iter().filter(|answer| answer.status == 204 && !answer.headers.contains_key("idempotency-replayed"));
    assert_eq!(served.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 204) {
        assert_eq!(answer.code(), "idempotency_conflict");
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn an_upload_with_a_key_is_answered_as_before_or_refused_when_it_is_another_one() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let key = [("idempotency-key", "k")];
    let first = person.form(&[("file", &recording(1, 1000))], &key).await;
    let again = person.form(&[("file", &recording(1, 1000))], &key).await;
    assert_eq!((first.json(), again.status.as_u16()), (again.json(), 202));
    assert!(again.headers.contains_key("idempotency-replayed"));
    for other in [&[("file", &recording(2, 1000)[..])][..], &[("file", &recording(1, 1000)[..]), ("title", b"other")]] {
        assert_eq!(person.form(other, &key).await.code(), "idempotency_conflict");
    }
    assert_eq!(person.get("/api/calls").await.json()["items"].as_array().unwrap().len(), 1);
}

/// Changes that take no key, as the description of the API says.
const WITHOUT_KEY: [&str; 10] = [
    "delete /api/auth/sessions/{sessionId}",
    "patch /api/uploads/{id}",
    "post /api/auth/invitations/accept",
    "post /api/auth/login",
    "post /api/auth/logout",
    "post /api/auth/logout-all",
    "post /api/auth/password",
    "post /api/auth/refresh",
    "post /v1/audio/transcriptions",
    "post /v1/audio/translations",
];

#[test]
fn every_change_takes_a_key_or_is_on_the_list_of_those_that_do_not() {
    let document = serde_json::to_value(router::openapi()).unwrap();
    let mut without = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            let takes = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
            let changes = ["post", "put", "patch", "delete"].contains(&method.as_str());
            assert!(changes || !takes, "{method} {path}");
            if changes && !takes {
                without.push(format!("{method} {path}"));
            }
        }
    }
    without.sort();
    assert_eq!(without, WITHOUT_KEY);
}

#[tokio::test]
async fn what_shows_a_secret_once_is_made_once_and_the_second_answer_is_without_the_secret() {
    let service = Service::new().await;
    let person = ann(&service).await;
    let key = json!({"name": "import", "scopes": ["account:read"]});
    let invitation = json!({"email": "bob@example.org", "role": "MEMBER"});
    for (path, body) in [("/api/tenant/api-keys", key), ("/api/tenant/invitations", invitation)] {
        let body = body.to_string();
        let first = person.with_key(Method::POST, path, path, &body).await;
        assert_eq!(first.status, 201);
        let mut first = first.json();
        assert!(first.as_object_mut().unwrap().remove("token").is_some_and(|token| token != Value::Null));
        let again = person.with_key(Method::POST, path, path, &body).await;
        assert_eq!((again.status.as_u16(), &again.headers["idempotency-replayed"]), (201, &"true".parse().unwrap()));
        assert_eq!(again.json(), first, "all but the token");
        assert_eq!(person.get(path).await.json()["items"].as_array().unwrap().len(), 1, "{path}");
        let other = body.replace("import", "export").replace("bob", "eve");
        assert_eq!(person.with_key(Method::POST, path, path, &other).await.code(), "idempotency_conflict");
    }
}

#[tokio::test]
async fn changes_of_tenant_and_user_are_not_made_again() {
    let service = Service::new().await;
    let person = ann(&service).await;
    for (path, field, first, second) in [
        ("/api/tenant", "retentionDays", json!(30), json!(60)),
        ("/api/users/me", "displayName", json!("Ann"), json!("Anna")),
    ] {
        let body = |value: &Value| json!({field: value}).to_string();
        let one = person.with_key(Method::PATCH, path, path, &body(&first)).await;
        assert_eq!((one.status.as_u16(), &one.json()[field]), (200, &first));
        assert_eq!(person.with_key(Method::PATCH, path, "another", &body(&second)).await.status, 200);
        let again = person.with_key(Method::PATCH, path, path, &body(&first)).await;
        assert_eq!(again.json(), one.json());
        assert_eq!(person.get(path).await.json()[field], second, "{path}");
        person.sql("DELETE FROM tenant.idempotency_keys".to_owned()).await;
    }
    // Sign-in takes no key: each answer has tokens of its own.
    let login = json!({"email": "ann@example.org", "password": PASSWORD}).to_string();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let answer = person.with_key(Method::POST, "/api/auth/login", "login", &login).await;
        assert!(!answer.headers.contains_key("idempotency-replayed"));
        tokens.push(answer.json()["refreshToken"].as_str().unwrap().to_owned());
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn of_who_deletes_themselves_with_a_key_nothing_is_kept() {
    let service = Service::new().await;
    let bob = ann(&service).await.member().await;
    bob.upload(1, "his call").await;
    let gone = bob.with_key(Method::DELETE, "/api/users/me", "bye", "").await;
    assert_eq!(gone.status, 204);
    assert!(gone.headers.contains_key("deletion-receipt"));
    let mut superuser = service.installation.postgres.superuser().await;
    for rows in ["tenant.record_keys WHERE record_id = $1", "tenant.idempotency_keys WHERE owner_id = $1"] {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {rows}"));
        let count: i64 = sqlx::query_scalar(count).bind(bob.scope.user()).fetch_one(&mut superuser).await.unwrap();
        assert_eq!(count, 0, "{rows}");
    }
}

#[tokio::test]
async fn an_auditors_key_makes_no_difference() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let mut auditor = owner.member().await;
    auditor.token = service.token(&auditor.scope, TokenRole::Auditor);
    for (path, body) in [("/api/users/me", "{}"), ("/api/tenant", r#"{"retentionDays": 30}"#)] {
        let without = auditor.json(Method::PATCH, path, &serde_json::from_str(body).unwrap()).await;
        let with = auditor.with_key(Method::PATCH, path, "k", body).await;
        assert_eq!(with.status, without.status, "{path}");
    }
}

#[tokio::test]
async fn a_change_whose_client_goes_away_is_made_and_its_answer_is_there_when_it_is_asked_for_again() {
    let service = Service::new().await;
    let person = ann(&service).await;
    let (path, body) = ("/api/tenant/api-keys", r#"{"name": "import", "scopes": ["calls:read"]}"#);
    let (mut holder, mut watcher) =
        (service.installation.postgres.superuser().await, service.installation.postgres.superuser().await);
    sqlx::raw_sql("BEGIN; LOCK TABLE tenant.api_keys").execute(&mut holder).await.unwrap();
    let mut first = Box::pin(person.with_key(Method::POST, path, "k", body));
    let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query(waits).fetch_optional(&mut watcher).await.unwrap().is_none() {
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
    }
    drop(first);
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    let asked = async {
        loop {
            let answer = person.with_key(Method::POST, path, "k", body).await;
            if answer.status != 409 {
                return answer;
            }
        }
    };
    let again = tokio::time::timeout(std::time::Duration::from_secs(30), asked).await.unwrap();
    assert_eq!((again.status.as_u16(), &again.headers["idempotency-replayed"]), (201, &"true".parse().unwrap()));
    assert_eq!(person.get(path).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_about_a_call_goes_with_the_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "title").await;
    let path = format!("/api/calls/{call}");
    let headers = [("idempotency-key", "one"), ("content-type", "application/json")];
    let change = async || person.send(Method::PATCH, &path, &headers, br#"{"notes": "canary"}"#).await;
    assert_eq!(change().await.json()["notes"], "canary");
    assert_eq!(change().await.headers["idempotency-replayed"], "true");
    let gone = person.send(Method::DELETE, &path, &[("idempotency-key", "two")], b"").await;
    let again = person.send(Method::DELETE, &path, &[("idempotency-key", "two")], b"").await;
    assert_eq!((again.status.as_u16(), &again.headers["deletion-receipt"]), (204, &gone.headers["deletion-receipt"]));
    let refused = change().await;
    assert_eq!(refused.status, 404);
    assert!(!String::from_utf8_lossy(&refused.body).contains("canary"));
}

#[tokio::test]
async fn a_change_that_takes_longer_than_a_request_may_is_not_made_again_meanwhile() {
    let (goes, made) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let (go, makes) = (Arc::clone(&goes), Arc::clone(&made));
    let slow = async move || {
        makes.fetch_add(1, Ordering::Relaxed);
        go.notified().await;
        "done"
    };
    let routes = Router::new().route("/api/slow", post(slow));
    let service = Service::with_routes(&[("limits.request_time", "200ms")], routes).await;
    let person = Person::new(&service).await;
    // Whoever asked is told to come again, and does when a claim without a sign of life would have ended long ago.
    let ask = || person.with_key(Method::POST, "/api/slow", "k", "");
    assert_eq!(ask().await.status, 503);
    let mut superuser = service.installation.postgres.superuser().await;
    let begun = chrono::Utc::now();
    let sign_of_life = "SELECT created_at FROM tenant.idempotency_keys WHERE status_code IS NULL";
    while sqlx::query_scalar::<_, chrono::DateTime<chrono::Utc>>(sign_of_life).fetch_one(&mut superuser).await.unwrap()
        < begun + TimeDelta::seconds(1)
    {}
    // On a busy machine that takes longer than this request may.
    let mut again = ask().await.status;
    for _ in 0..20 {
        if again == 503 {
            again = ask().await.status;
        }
    }
    assert_eq!(again, 409);
    goes.notify_one();
    let kept = "SELECT 1 FROM tenant.idempotency_keys WHERE status_code IS NOT NULL";
    while sqlx::query(kept).fetch_optional(&mut superuser).await.unwrap().is_none() {}
    let done = ask().await;
    assert_eq!((done.body.as_slice(), made.load(Ordering::Relaxed)), (&b"done"[..], 1));
}
