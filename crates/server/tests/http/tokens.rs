//! Access tokens, as an attacker tries them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use server::auth::tokens::TokenRole;
use uuid::Uuid;

use crate::client::Service;

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
