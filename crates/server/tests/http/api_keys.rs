//! API keys, as a machine and as who finds one.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    client::Service,
    sign_in::{Owner, owner},
};

async fn make(service: &Service, owner: &Owner, scopes: &[&str]) -> Value {
    let body = json!({"name": "nightly import", "scopes": scopes});
    let answer = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&owner.access), &body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    answer.json()
}

#[tokio::test]
async fn a_key_is_shown_once_and_opens_what_its_scopes_say_and_nothing_else() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let made = make(&service, &owner, &["account:read"]).await;
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("sbr_"));
    let list = service.call(Method::GET, "/api/tenant/api-keys", Some(&owner.access)).await.json();
    assert_eq!(list["items"][0]["name"], "nightly import");
    assert!(list["items"][0].get("token").is_none());

    let with_key = async |method: Method, path: &str| service.call(method, path, Some(token)).await.status;
    assert_eq!(with_key(Method::GET, "/api/users/me").await, StatusCode::OK);
    assert_eq!(with_key(Method::GET, "/api/users/me/stats").await, StatusCode::OK);
    for (method, path) in [
        (Method::DELETE, "/api/users/me"),
        (Method::GET, "/api/tenant"),
        (Method::GET, "/api/tenant/members"),
        (Method::GET, "/api/tenant/api-keys"),
        (Method::GET, "/api/auth/sessions"),
        (Method::POST, "/api/auth/logout-all"),
    ] {
        assert_eq!(with_key(method, path).await, StatusCode::FORBIDDEN, "{path}");
    }
    let other = make(&service, &owner, &["calls:read", "calls:write"]).await;
    let answer = service.call(Method::GET, "/api/users/me", Some(other["token"].as_str().unwrap())).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);

    let mut superuser = service.installation.postgres.superuser().await;
    let used: i64 = sqlx::query_scalar("SELECT count(*) FROM tenant.api_keys WHERE used_at IS NOT NULL")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(used, 2);
}

#[tokio::test]
async fn a_revoked_key_and_one_that_ended_open_nothing_on_the_next_request() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (revoked, ended) =
        (make(&service, &owner, &["account:read"]).await, make(&service, &owner, &["account:read"]).await);
    let me = async |key: &Value| {
        service.call(Method::GET, "/api/users/me", Some(key["token"].as_str().unwrap())).await.status
    };
    assert_eq!((me(&revoked).await, me(&ended).await), (StatusCode::OK, StatusCode::OK));
    let path = format!("/api/tenant/api-keys/{}", revoked["apiKeyId"].as_str().unwrap());
    let revoke = async || service.call(Method::DELETE, &path, Some(&owner.access)).await.status;
    assert_eq!(revoke().await, StatusCode::NO_CONTENT);
    assert_eq!(revoke().await, StatusCode::NOT_FOUND);
    assert_eq!(me(&revoked).await, StatusCode::UNAUTHORIZED);
    let mut superuser = service.installation.postgres.superuser().await;
    sqlx::query("UPDATE tenant.api_keys SET expires_at = now()").execute(&mut superuser).await.unwrap();
    service.app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(me(&ended).await, StatusCode::UNAUTHORIZED);
    assert_eq!(service.call(Method::GET, "/api/users/me", Some("sbr_AAAA")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_without_a_name_a_scope_or_an_end_is_not_made() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    for body in [
        json!({"name": " ", "scopes": ["calls:read"]}),
        json!({"name": "import", "scopes": []}),
        json!({"name": "import", "scopes": ["everything"]}),
        json!({"name": "import", "scopes": ["calls:read"], "expiresInDays": 0}),
        json!({"name": "import", "scopes": ["calls:read"], "expiresInDays": 366}),
    ] {
        let answer = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&owner.access), &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn a_key_that_was_good_lately_is_not_held_up_by_others_from_its_address_that_are_none() {
    let service = Service::set(&[("rates.read", "100000/1m")]).await;
    let owner = owner(&service, "ann@example.org").await;
    let used = make(&service, &owner, &["calls:read"]).await;
    let status = async |key: &Value| service.call(Method::GET, "/api/calls", key["token"].as_str()).await.status;
    assert_eq!(status(&used).await, StatusCode::OK);
    // Past the second in which an answer is believed.
    service.app.clock.advance(TimeDelta::milliseconds(1_100));
    let mut number = 0;
    while status(&json!({ "token": format!("sbr_{number:043}") })).await == StatusCode::UNAUTHORIZED {
        number += 1;
    }
    assert_eq!(status(&used).await, StatusCode::OK);
}
