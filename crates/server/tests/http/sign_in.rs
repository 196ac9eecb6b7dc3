//! Signing in, as a person and as somebody who guesses.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::auth::accounts;
use uuid::Uuid;

use crate::{
    accounts::{PASSWORD, person},
    client::{Answer, Service},
};

/// A tenant with its owner, who signed in.
pub(crate) struct Owner {
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

pub(crate) async fn owner(service: &Service, email: &str) -> Owner {
    let (tenant, user) = accounts::create_tenant(&service.app, "Heron Ltd", &person(email, PASSWORD)).await.unwrap();
    let (access, refresh) = tokens(&login(service, email, PASSWORD).await);
    Owner { tenant, user, access, refresh }
}

pub(crate) fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("accessToken"), text("refreshToken"))
}

pub(crate) async fn login(service: &Service, email: &str, password: &str) -> Answer {
    service.send_json(Method::POST, "/api/auth/login", None, &json!({"email": email, "password": password})).await
}

/// The body without the id of the request.
fn without_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["error"]["requestId"] = Value::Null;
    body
}

#[tokio::test]
async fn who_signs_in_learns_who_they_are_and_where() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let answer = login(&service, " ANN@example.org", PASSWORD).await;
    let body = answer.json();
    assert_eq!(body["user"]["email"], "ann@example.org");
    assert_eq!(body["user"]["displayName"], "Ann Lee");
    assert_eq!(body["tenantId"], owner.tenant.to_string());
    assert_eq!(body["tenants"][0]["name"], "Heron Ltd");
    assert_eq!(body["tenants"][0]["role"], "OWNER");
    assert!(!answer.headers.contains_key("set-cookie"));
    let elsewhere = json!({"email": "ann@example.org", "password": PASSWORD, "tenantId": Uuid::now_v7()});
    let answer = service.send_json(Method::POST, "/api/auth/login", None, &elsewhere).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unknown_wrong_and_locked_are_told_the_same_after_the_same_work() {
    let service = Service::new().await;
    owner(&service, "ann@example.org").await;
    let work = || service.app.auth.passwords.evaluations();
    let mut answers = Vec::new();
    let before = work();
    answers.push(login(&service, "nobody@example.org", PASSWORD).await);
    assert_eq!(work() - before, 1, "unknown");
    answers.push(login(&service, "not an address", PASSWORD).await);
    assert_eq!(work() - before, 2, "no address");
    // Five are free; behind each further one the wait doubles, in the end to minutes that no slow machine spends here.
    for wait in [0, 0, 0, 0, 0, 0, 5, 10, 20, 40, 80] {
        service.app.clock.advance(TimeDelta::seconds(wait));
        answers.push(login(&service, "ann@example.org", "wrong password").await);
    }
    assert_eq!(work() - before, 13, "wrong");
    // Locked: even the right password is not looked at.
    answers.push(login(&service, "ann@example.org", PASSWORD).await);
    assert_eq!(work() - before, 14, "locked");
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(without_id(answer), without_id(&answers[0]));
    }
    service.app.clock.advance(TimeDelta::seconds(160));
    assert_eq!(login(&service, "ann@example.org", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_the_old_one_opens_nothing() {
    let service = Service::new().await;
    let first = owner(&service, "ann@example.org").await;
    let (access, refresh) = tokens(&login(&service, "ann@example.org", PASSWORD).await);
    let change = async |old: &str, new: &str| {
        let body = json!({"currentPassword": old, "newPassword": new});
        service.send_json(Method::POST, "/api/auth/password", Some(&access), &body).await.status
    };
    let new = "eight loud herons landed";
    assert_eq!(change("wrong password", new).await, StatusCode::FORBIDDEN);
    assert_eq!(change(PASSWORD, "ann@example.org").await, StatusCode::BAD_REQUEST);
    assert_eq!(change(PASSWORD, new).await, StatusCode::NO_CONTENT);
    let me = async |token: &str| service.call(Method::GET, "/api/users/me", Some(token)).await.status;
    assert_eq!(me(&access).await, StatusCode::OK);
    assert_eq!(me(&first.access).await, StatusCode::UNAUTHORIZED);
    let renew = async |token: &str| {
        let body = json!({"refreshToken": token});
        service.send_json(Method::POST, "/api/auth/refresh", None, &body).await.status
    };
    assert_eq!(renew(&first.refresh).await, StatusCode::UNAUTHORIZED);
    assert_eq!(renew(&refresh).await, StatusCode::OK);
    assert_eq!(login(&service, "ann@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&service, "ann@example.org", new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_disabled_account_does_nothing_and_a_suspended_one_uploads_nothing() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let mut superuser = service.installation.postgres.superuser().await;
    let mut set = async |statement: &'static str| {
        sqlx::query(statement).execute(&mut superuser).await.unwrap();
        service.app.clock.advance(TimeDelta::seconds(1));
    };
    let limits = async || service.call(Method::GET, "/api/users/me/limits", Some(&owner.access)).await;
    for (suspend, disable) in [
        ("UPDATE tenant.tenants SET status = 2", "UPDATE tenant.tenants SET status = 3"),
        ("UPDATE global.users SET status = 2", "UPDATE global.users SET status = 3"),
    ] {
        set(suspend).await;
        assert_eq!(limits().await.json()["mayUpload"], false, "{suspend}");
        set(disable).await;
        assert_eq!(limits().await.code(), "ACCOUNT_DISABLED");
        assert_eq!(login(&service, "ann@example.org", PASSWORD).await.code(), "ACCOUNT_DISABLED");
        assert_eq!(login(&service, "ann@example.org", "wrong password").await.code(), "auth_invalid");
        set("UPDATE tenant.tenants SET status = 1").await;
        set("UPDATE global.users SET status = 1").await;
        assert_eq!(limits().await.json()["mayUpload"], true);
    }
}
