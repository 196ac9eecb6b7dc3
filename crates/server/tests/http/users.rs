//! The user: profile, consent, numbers, the end.

use axum::http::{Method, StatusCode};
use serde_json::json;
use server::{
    auth::accounts,
    db::{Role, Scope},
};

use crate::{
    accounts::{PASSWORD, person},
    client::Service,
    sign_in::{login, owner, tokens},
};

#[tokio::test]
async fn a_profile_is_changed_and_a_consent_kept_with_its_version_and_time() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let patch = async |path: &str, body| service.send_json(Method::PATCH, path, Some(&owner.access), &body).await;
    let changed = patch("/api/users/me", json!({"displayName": "Ann Heron"})).await.json();
    assert_eq!((&changed["displayName"], &changed["email"]), (&json!("Ann Heron"), &json!("ann@example.org")));
    let cleared = patch("/api/users/me", json!({"displayName": ""})).await.json();
    assert!(cleared.get("displayName").is_none());
    assert_eq!(patch("/api/users/me", json!({"email": "x@example.org"})).await.status, StatusCode::BAD_REQUEST);

    let consent = |version, given| json!({"kind": "TERMS", "version": version, "given": given});
    assert_eq!(patch("/api/users/me/consent", consent(0, true)).await.status, StatusCode::BAD_REQUEST);
    let given = patch("/api/users/me/consent", consent(3, true)).await.json();
    assert_eq!(given["consents"][0]["version"], 3);
    assert!(given["consents"][0]["givenAt"].is_string());
    assert_eq!(patch("/api/users/me/consent", consent(3, true)).await.json(), given, "said twice is said once");
    let withdrawn = patch("/api/users/me/consent", consent(3, false)).await.json();
    assert!(withdrawn["consents"][0]["withdrawnAt"].is_string());
}

#[tokio::test]
async fn numbers_are_counted_from_calls() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let scope = Scope::authenticated(owner.tenant, owner.user, Role::Owner);
    service.installation.call(scope, "one").await;
    service.installation.call(scope, "two").await;
    let mut superuser = service.installation.postgres.superuser().await;
    sqlx::query("UPDATE tenant.calls SET status = 4, duration_ms = 90000").execute(&mut superuser).await.unwrap();
    let get = async |path: &str| service.call(Method::GET, path, Some(&owner.access)).await.json();
    let stats = get("/api/users/me/stats").await;
    assert_eq!(
        (&stats["calls"], &stats["completed"], &stats["durationSeconds"]),
        (&json!(2), &json!(2), &json!(180.0))
    );
    let limits = get("/api/users/me/limits").await;
    assert_eq!((&limits["plan"], &limits["minutesAMonth"]), (&json!("FREE"), &json!(150)));
    assert_eq!((&limits["minutesUsed"], &limits["transcriptsToday"]), (&json!(3.0), &json!(2)));
    assert_eq!(limits["enforced"], false);
}

#[tokio::test]
async fn the_settings_of_a_tenant_are_changed_within_their_bounds() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let patch = async |body| service.send_json(Method::PATCH, "/api/tenant", Some(&owner.access), &body).await;
    for days in [0, 3651] {
        assert_eq!(patch(json!({"retentionDays": days})).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(patch(json!({"status": "ACTIVE"})).await.status, StatusCode::BAD_REQUEST);
    let many: Vec<String> = (0..17).map(|number| format!("eu-{number}")).collect();
    for regions in [json!(["EU"]), json!([""]), json!(["eu west"]), json!(many)] {
        assert_eq!(patch(json!({"allowedRegions": regions})).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(patch(json!({"allowedProviders": ["anybody"]})).await.status, StatusCode::BAD_REQUEST);
    let allowed = async || {
        let tenant = service.call(Method::GET, "/api/tenant", Some(&owner.access)).await.json();
        (tenant["allowedProviders"].clone(), tenant["allowedRegions"].clone())
    };
    assert_eq!(allowed().await, (json!([]), json!([])), "nobody by default");
    patch(json!({"allowedProviders": ["openai-compatible"], "allowedRegions": ["eu-west"]})).await;
    assert_eq!(allowed().await, (json!(["openai-compatible"]), json!(["eu-west"])));
    patch(json!({"allowedProviders": []})).await;
    assert_eq!(allowed().await, (json!([]), json!(["eu-west"])));
    patch(json!({"name": "Egret Ltd", "sharesCalls": true, "retentionDays": 30})).await;
    let tenant = service.call(Method::GET, "/api/tenant", Some(&owner.access)).await.json();
    assert_eq!((&tenant["name"], &tenant["retentionDays"]), (&json!("Egret Ltd"), &json!(30)));
    assert_eq!((&tenant["sharesCalls"], &tenant["status"]), (&json!(true), &json!("ACTIVE")));
}

#[tokio::test]
async fn who_deletes_themselves_is_gone_with_a_receipt() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let by = Scope::authenticated(owner.tenant, owner.user, Role::Owner);
    accounts::create_user(&service.app, &by, Role::Member, &person("bob@example.org", PASSWORD)).await.unwrap();
    let (access, refresh) = tokens(&login(&service, "bob@example.org", PASSWORD).await);
    let gone = service.call(Method::DELETE, "/api/users/me", Some(&access)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert!(gone.headers.contains_key("deletion-receipt"));
    assert_eq!(service.call(Method::GET, "/api/users/me", Some(&access)).await.status, StatusCode::UNAUTHORIZED);
    let body = json!({"refreshToken": refresh});
    let answer = service.send_json(Method::POST, "/api/auth/refresh", None, &body).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&service, "bob@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}
