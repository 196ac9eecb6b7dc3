//! Who gets an export.

use axum::{
    body::Body,
    http::{Method, Response},
};
use http_body_util::BodyExt as _;
use serde_json::json;
use server::{auth::accounts, db::Role};

use super::{OWN, SUBJECTS, ann, ask, ask_about, bob, build, count, download, files};
use crate::{
    accounts::{PASSWORD, person},
    client::Service,
    people::{Person, shape},
    places::fill,
    sign_in::{login, tokens},
};

#[tokio::test]
async fn an_export_is_downloaded_only_in_a_session_that_began_lately() {
    let service = Service::new().await;
    let mut ann = ann(&service).await;
    let export = ask(&ann).await;
    build(&service).await;
    ann.sql("UPDATE global.sessions SET created_at = created_at - interval '11 minutes'".to_owned()).await;
    let refused = download(&ann, &export).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "sign_in_again"));
    assert_eq!(ann.get(&export).await.json()["status"], "READY");
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.audit_events WHERE action = 61").await, 0);
    ann.token = tokens(&login(&service, "ann@example.org", PASSWORD).await).0;
    // A download may break off, so it can be had again.
    for times in 1..=2 {
        assert!(files(&download(&ann, &export).await).contains_key("index.html"));
        assert_eq!(count(&service, "SELECT count(*) FROM tenant.audit_events WHERE action = 61").await, times);
    }
}

#[tokio::test]
async fn refreshing_tokens_makes_a_session_no_younger() {
    let service = Service::new().await;
    let mut ann = ann(&service).await;
    let export = ask(&ann).await;
    build(&service).await;
    let refresh = tokens(&login(&service, "ann@example.org", PASSWORD).await).1;
    ann.sql("UPDATE global.sessions SET created_at = created_at - interval '11 minutes'".to_owned()).await;
    let renewed = service.send_json(Method::POST, "/api/auth/refresh", None, &json!({"refreshToken": refresh})).await;
    ann.token = tokens(&renewed).0;
    assert_eq!(download(&ann, &export).await.code(), "sign_in_again");
}

#[tokio::test]
async fn somebody_elses_export_is_like_one_that_never_was() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let stranger = Person::new(&service).await;
    let (anns, bobs) = (ask(&ann).await, ask(&bob).await);
    build(&service).await;
    let subject = ask_about(&ann, &json!({"contactName": "Carl"})).await;
    build(&service).await;
    let never = format!("{OWN}/{}", uuid::Uuid::now_v7());
    // An owner sees the calls of all members, and exports their own alone.
    for (who, export) in
        [(&bob, &anns), (&ann, &bobs), (&stranger, &anns), (&stranger, &bobs), (&ann, &subject.replace(SUBJECTS, OWN))]
    {
        assert_eq!(shape(&who.get(export).await), shape(&who.get(&never).await));
        assert_eq!(shape(&download(who, export).await), shape(&download(who, &never).await));
        assert_eq!(download(who, export).await.status, 404);
    }
    assert_eq!(stranger.get(&subject).await.status, 404);
    assert_eq!(download(&stranger, &subject).await.status, 404);
    assert_eq!(bob.get(&subject).await.status, 403);
    assert_eq!(ann.get(&anns.replace(OWN, SUBJECTS)).await.status, 404);
}

#[tokio::test]
async fn one_export_is_built_at_a_time_and_five_are_enough_for_a_day() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    for _ in 0..4 {
        ask(&ann).await;
        let second = ann.send(Method::POST, OWN, &[], b"").await;
        assert_eq!((second.status.as_u16(), second.code().as_str()), (409, "conflict"));
        build(&service).await;
    }
    ask(&ann).await;
    build(&service).await;
    let sixth = ann.send(Method::POST, OWN, &[], b"").await;
    assert_eq!((sixth.status.as_u16(), sixth.code().as_str()), (429, "rate_limited"));
    assert!(sixth.headers.contains_key("retry-after"));
    let about = ann.json(Method::POST, SUBJECTS, &json!({"contactName": "Carl"})).await;
    assert_eq!(about.code(), "rate_limited");
}

#[tokio::test]
async fn keys_and_auditors_export_nothing_and_members_nobody_else() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let key = json!({"name": "key", "scopes": ["account:read", "calls:read", "calls:write"]});
    let key = ann.json(Method::POST, "/api/tenant/api-keys", &key).await.json();
    let key = Person { service: &service, scope: ann.scope, token: key["token"].as_str().unwrap().to_owned() };
    let export = ask(&ann).await;
    build(&service).await;
    assert_eq!(key.send(Method::POST, OWN, &[], b"").await.code(), "forbidden");
    assert_eq!(download(&key, &export).await.code(), "forbidden");
    let about = json!({"contactName": "Carl"});
    for person in [&bob, &key] {
        assert_eq!(person.json(Method::POST, SUBJECTS, &about).await.code(), "forbidden");
    }
    let carl = person("carl@example.org", PASSWORD);
    accounts::create_user(&service.app, &ann.scope, Role::Auditor, &carl).await.unwrap();
    let auditor = Person {
        service: &service,
        scope: ann.scope,
        token: tokens(&login(&service, "carl@example.org", PASSWORD).await).0,
    };
    assert_eq!(auditor.send(Method::POST, OWN, &[], b"").await.code(), "forbidden");
    assert_eq!(auditor.json(Method::POST, SUBJECTS, &about).await.code(), "forbidden");
}

#[tokio::test]
async fn a_request_about_nobody_is_refused() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    for (wrong, field) in [
        (json!({}), "phoneNumber"),
        (json!({"phoneNumber": "+49 30 901820", "contactName": "Carl"}), "phoneNumber"),
        (json!({"phoneNumber": "030 901820"}), "phoneNumber"),
        (json!({"phoneNumber": ""}), "phoneNumber"),
        (json!({"contactName": " - "}), "contactName"),
        (json!({"contactName": "x".repeat(501)}), "contactName"),
    ] {
        let answer = ann.json(Method::POST, SUBJECTS, &wrong).await;
        assert_eq!(answer.code(), "validation_failed", "{wrong}");
        assert_eq!(answer.json()["error"]["details"]["field"], field);
    }
}

/// A download that nobody reads yet.
async fn begin(person: &Person<'_>, export: &str) -> Response<Body> {
    let request = person.request(Method::GET, &format!("{export}/download"), &[]);
    person.service.open(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_user_who_reads_none_of_their_downloads_has_two_and_takes_no_others_place() {
    let service = Service::new().await;
    let (ann, other) = (ann(&service).await, super::owner_of_another(&service, "dan@example.org").await);
    super::memory::long_call(&ann, 1).await;
    let (export, others) = (ask(&ann).await, ask(&other).await);
    build(&service).await;
    let first = begin(&ann, &export).await;
    let second = begin(&ann, &export).await;
    let third = begin(&ann, &export).await;
    assert_eq!([first.status(), second.status(), third.status()].map(|status| status.as_u16()), [200, 200, 429]);
    assert!(files(&download(&other, &others).await).contains_key("index.html"));
    drop(first);
    let again = async { while begin(&ann, &export).await.status() != 200 {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.unwrap();
}

#[tokio::test]
async fn a_tenant_whose_people_download_as_much_as_they_may_leaves_room_for_others() {
    let service = Service::new().await;
    let (ann, other) = (ann(&service).await, super::owner_of_another(&service, "dan@example.org").await);
    let (export, others) = (ask(&ann).await, ask(&other).await);
    build(&service).await;
    let taken = fill(&service.app.exports.downloads, ann.scope.tenant());
    let refused = download(&ann, &export).await;
    let said = refused.json()["error"]["message"].to_string();
    assert!(refused.status == 429 && said.contains("your tenant downloads too many exports"), "{said}");
    assert!(files(&download(&other, &others).await).contains_key("index.html"));
    drop(taken);
    assert!(files(&download(&ann, &export).await).contains_key("index.html"));
}

#[tokio::test]
async fn a_download_ends_with_the_session_it_was_asked_in() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    for seed in 0..8 {
        super::memory::long_call(&ann, seed).await;
    }
    let export = ask(&ann).await;
    build(&service).await;
    let answer = begin(&ann, &export).await;
    assert!(answer.headers()["content-length"].to_str().unwrap().parse::<u32>().unwrap() > 5 << 20);
    assert_eq!(ann.send(Method::POST, "/api/auth/logout-all", &[], b"").await.status, 204);
    assert!(answer.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_download_may_take_longer_than_the_access_token_lasts_that_it_was_asked_with() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    for seed in 0..8 {
        super::memory::long_call(&ann, seed).await;
    }
    let export = ask(&ann).await;
    build(&service).await;
    let answer = begin(&ann, &export).await;
    let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
    service.app.clock.advance(chrono::TimeDelta::minutes(30));
    assert_eq!(ann.get(&export).await.code(), "auth_invalid");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), length);
}
