//! Access tokens, as an attacker tries them.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use server::{
    auth::tokens::{self, TokenRole},
    vault::system,
};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{
    accounts::PASSWORD,
    client::Service,
    sign_in::{self, login, owner},
};

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn with_part(token: &str, index: usize, value: &Value) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[index] = URL_SAFE_NO_PAD.encode(value.to_string());
    parts.join(".")
}

#[tokio::test]
async fn a_token_is_good_for_ten_minutes_and_not_a_second_more_or_before() {
    let service = Service::new().await;
    let tokens = &service.app.auth.tokens;
    let now = Utc::now();
    let (token, end) = tokens.issue((Uuid::now_v7(), Uuid::now_v7(), TokenRole::Owner), Uuid::now_v7(), now).unwrap();
    assert_eq!(end - now, TimeDelta::minutes(10));
    assert!(tokens.verify(&token, now).is_some());
    assert!(tokens.verify(&token, end - TimeDelta::seconds(1)).is_some());
    assert!(tokens.verify(&token, end).is_none());
    assert!(tokens.verify(&token, now - TimeDelta::seconds(1)).is_none());
}

#[tokio::test]
async fn a_token_with_another_header_or_another_word_in_it_is_refused() {
    let service = Service::new().await;
    let tokens = &service.app.auth.tokens;
    let now = Utc::now();
    let (token, _) = tokens.issue((Uuid::now_v7(), Uuid::now_v7(), TokenRole::Member), Uuid::now_v7(), now).unwrap();
    let header = part(&token, 0);
    let changes = [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("typ", json!("JWT")),
        ("kid", json!("2")),
        ("kid", json!("../1")),
        ("crit", json!(["exp"])),
        ("jku", json!("https://attacker.example/keys")),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"})),
    ];
    for (name, value) in changes {
        let mut changed = header.clone();
        changed[name] = value;
        assert!(tokens.verify(&with_part(&token, 0, &changed), now).is_none(), "{changed}");
    }
    let claims = part(&token, 1);
    for name in ["sub", "tenant", "role", "session", "iss", "aud", "iat", "exp"] {
        let mut changed = claims.clone();
        changed[name] = json!("OWNER");
        assert!(tokens.verify(&with_part(&token, 1, &changed), now).is_none(), "{changed}");
    }
    for cut in ["", ".", "..", "a.b.c", &token[..token.len() - 1], token.rsplit_once('.').unwrap().0] {
        assert!(tokens.verify(cut, now).is_none(), "{cut}");
    }
}

#[tokio::test]
async fn a_token_of_another_installation_is_refused() {
    let (one, other) = (Service::new().await, Service::new().await);
    let now = Utc::now();
    let who = (Uuid::now_v7(), Uuid::now_v7(), TokenRole::Owner);
    let (token, _) = one.app.auth.tokens.issue(who, Uuid::now_v7(), now).unwrap();
    assert!(other.app.auth.tokens.verify(&token, now).is_none());
}

#[tokio::test]
async fn a_new_key_is_followed_by_every_program_and_the_old_one_ends_when_its_tokens_have() {
    let service = Service::new().await;
    let owner = owner(&service, "ann@example.org").await;
    let ((beside, router), (stolen, _)) = (service.beside().await, service.beside().await);
    // As an operator does; services look every minute.
    assert_eq!(system::rotate_tokens(&service.app.database, &service.app.vault).await.unwrap(), 2);
    let (old, _) = sign_in::tokens(&login(&service, "ann@example.org", PASSWORD).await);
    assert_eq!(part(&old, 0)["kid"], "1");
    tokens::follow(&service.app).await.unwrap();
    let (new, _) = sign_in::tokens(&login(&service, "ann@example.org", PASSWORD).await);
    assert_eq!((&part(&owner.access, 0)["kid"], &part(&new, 0)["kid"]), (&json!("1"), &json!("2")));
    for token in [&owner.access, &new] {
        let request = Request::builder().uri("/api/users/me").header("authorization", format!("Bearer {token}"));
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let who = (owner.tenant, owner.user, TokenRole::Owner);
    let (token, _) = beside.auth.tokens.issue(who, Uuid::now_v7(), beside.clock.now()).unwrap();
    assert_eq!(part(&token, 0)["kid"], "2", "the other program signs with it too");

    // Whoever stole the old key signs nothing that is accepted after its time.
    let later = Utc::now() + TimeDelta::minutes(21);
    let (token, _) = stolen.auth.tokens.issue(who, Uuid::now_v7(), later).unwrap();
    assert_eq!(part(&token, 0)["kid"], "1");
    assert!(stolen.auth.tokens.verify(&token, later).is_some());
    assert!(service.app.auth.tokens.verify(&token, later).is_none());
}
