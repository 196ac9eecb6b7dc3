//! Refresh tokens and signing out, as a client and as a thief.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::json;
use tower::ServiceExt as _;

use crate::{
    accounts::PASSWORD,
    client::{Answer, Service},
    sign_in::{login, owner, tokens},
};

async fn refresh(service: &Service, token: &str) -> Answer {
    service.send_json(Method::POST, "/api/auth/refresh", None, &json!({"refreshToken": token})).await
}

async fn me(service: &Service, access: &str) -> StatusCode {
    service.call(Method::GET, "/api/users/me", Some(access)).await.status
}

/// Makes every use of a token lie so long ago.
async fn age(service: &Service, seconds: i32) {
    let mut superuser = service.installation.postgres.superuser().await;
    let statement = "UPDATE global.sessions SET used_at = used_at - make_interval(secs => $1)";
    sqlx::query(statement).bind(f64::from(seconds)).execute(&mut superuser).await.unwrap();
}

#[tokio::test]
async fn a_hundred_uses_at_once_give_one_child() {
    let service = Service::set(&[("rates.sign_in", "200/1m")]).await;
    let owner = owner(&service, "ann@example.org").await;
    let answers = join_all((0..100).map(|_| refresh(&service, &owner.refresh))).await;
    let mut children: Vec<String> = answers.iter().map(|answer| tokens(answer).1).collect();
    children.dedup();
    assert_eq!(children.len(), 1);
    let mut superuser = service.installation.postgres.superuser().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM global.sessions").fetch_one(&mut superuser).await.unwrap();
    assert_eq!(rows, 2, "the first token and its child");
    assert_eq!(refresh(&service, &children[0]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds_and_then_it_is_a_theft() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (access, child) = tokens(&refresh(&service, &owner.refresh).await);
    age(&service, 9).await;
    assert_eq!(tokens(&refresh(&service, &owner.refresh).await).1, child);
    age(&service, 1).await;
    assert_eq!(refresh(&service, &owner.refresh).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&service, &child).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&service, &access).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_parent_whose_child_was_used_kills_the_family_at_once() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (_, child) = tokens(&refresh(&service, &owner.refresh).await);
    let (access, grandchild) = tokens(&refresh(&service, &child).await);
    assert_eq!(me(&service, &access).await, StatusCode::OK);
    assert_eq!(refresh(&service, &owner.refresh).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&service, &grandchild).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&service, &access).await, StatusCode::UNAUTHORIZED);
    // Another sign-in is another family.
    let (access, _) = tokens(&login(&service, "ann@example.org", PASSWORD).await);
    assert_eq!(me(&service, &access).await, StatusCode::OK);
}

#[tokio::test]
async fn a_grandparent_kills_the_family_too() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let mut token = owner.refresh.clone();
    for _ in 0..3 {
        token = tokens(&refresh(&service, &token).await).1;
    }
    assert_eq!(refresh(&service, &owner.refresh).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&service, &token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_that_nobody_gave_out_is_refused() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    for token in ["", "sbrr_", "sbrr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &owner.access] {
        assert_eq!(refresh(&service, token).await.status, StatusCode::UNAUTHORIZED, "{token}");
    }
    assert_eq!(refresh(&service, &owner.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn signing_out_here_leaves_the_others_and_everywhere_none() {
    let service = Service::new().await;
    let first = owner(&service, "ann@example.org").await;
    let (second, _) = tokens(&login(&service, "ann@example.org", PASSWORD).await);
    let (third, refresh_third) = tokens(&login(&service, "ann@example.org", PASSWORD).await);
    let post = async |path: &str, token: &str| service.call(Method::POST, path, Some(token)).await.status;
    assert_eq!(me(&service, &first.access).await, StatusCode::OK);
    assert_eq!(post("/api/auth/logout", &first.access).await, StatusCode::NO_CONTENT);
    assert_eq!(me(&service, &first.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&service, &first.refresh).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!((me(&service, &second).await, me(&service, &third).await), (StatusCode::OK, StatusCode::OK));
    assert_eq!(post("/api/auth/logout-all", &second).await, StatusCode::NO_CONTENT);
    assert_eq!(me(&service, &second).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&service, &third).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&service, &refresh_third).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_refresh_token_alone_signs_out_when_the_access_token_has_ended() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    service.app.clock.advance(TimeDelta::minutes(11));
    let body = json!({"refreshToken": owner.refresh});
    let answer = service.send_json(Method::POST, "/api/auth/logout", Some(&owner.access), &body).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(refresh(&service, &owner.refresh).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(service.call(Method::POST, "/api/auth/logout", None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_program_believes_a_session_for_a_second_at_most() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let (_, beside) = service.beside().await;
    let there = async || {
        let request = axum::http::Request::builder().uri("/api/users/me");
        let request = request.header("authorization", format!("Bearer {}", owner.access));
        beside.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap().status()
    };
    assert_eq!(there().await, StatusCode::OK);
    service.call(Method::POST, "/api/auth/logout-all", Some(&owner.access)).await;
    service.app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(there().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_and_another_persons_are_not_there() {
    let service = Service::new().await;
    let first = owner(&service, "ann@example.org").await;
    let (second, _) = tokens(&login(&service, "ann@example.org", PASSWORD).await);
    let other = owner(&service, "bob@example.org").await;
    let list = async |token: &str| service.call(Method::GET, "/api/auth/sessions", Some(token)).await.json();
    let sessions = list(&second).await;
    let sessions = sessions["items"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["isCurrent"], &sessions[1]["isCurrent"]), (&json!(true), &json!(false)));
    let path = format!("/api/auth/sessions/{}", sessions[1]["sessionId"].as_str().unwrap());
    let end = async |token: &str| service.call(Method::DELETE, &path, Some(token)).await.status;
    assert_eq!(end(&other.access).await, StatusCode::NOT_FOUND);
    assert_eq!(end(&second).await, StatusCode::NO_CONTENT);
    assert_eq!(end(&second).await, StatusCode::NOT_FOUND);
    assert_eq!(me(&service, &first.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(list(&second).await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refresh_token_comes_in_an_object() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    for body in [json!([owner.refresh]), json!([[owner.refresh]]), json!(owner.refresh), json!(1)] {
        let answer = service.send_json(Method::POST, "/api/auth/refresh", None, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "validation_failed"));
    }
    assert_eq!(refresh(&service, &owner.refresh).await.status, StatusCode::OK);
}
