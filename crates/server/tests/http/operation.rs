//! What everybody sees of a service.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt as _;
use serde_json::json;
use server::{
    auth::tokens::TokenRole,
    deletion::blobs::{expect_upload, remove_object},
    vault::{
        blobs::{BlobPlace, Blobs},
        seal::RecordKind,
    },
};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{client::Service, people::Person};

#[tokio::test]
async fn health_tells_no_more_than_that_it_lives_and_which_version() {
    let service = Service::new().await;
    let answer = service.call(Method::GET, "/api/health", None).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body["status"], "ok");
    assert_eq!(body.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_answers_in_the_one_shape_of_errors_with_the_id_of_the_request() {
    let service = Service::new().await;
    let answer = service.call(Method::GET, "/api/nothing", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(answer.json()["error"]["requestId"], answer.headers["x-request-id"].to_str().unwrap());
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_answers_405_with_those_that_it_does() {
    let service = Service::new().await;
    let answer = service.call(Method::DELETE, "/api/health", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    assert_eq!(answer.headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn details_of_health_are_for_owners_admins_and_a_monitor_with_the_token() {
    let token = "0123456789abcdef0123456789abcdef";
    let service = Service::set(&[("health.token", token)]).await;
    let scope = service.installation.tenant().await;
    let path = "/api/health/details";
    let ask = async |token: Option<&str>| service.call(Method::GET, path, token).await;
    assert_eq!(ask(None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some("0123456789abcdef0123456789abcdeg")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(&service.token(&scope, TokenRole::Member))).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ask(Some(&service.token(&scope, TokenRole::Auditor))).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ask(Some(&service.token(&scope, TokenRole::Admin))).await.status, StatusCode::OK);
    let details = ask(Some(token)).await.json();
    for (part, status) in [
        ("database", "OK"),
        ("objectStore", "OK"),
        ("redis", "NOT_CONFIGURED"),
        ("searchByMeaning", "NOT_CONFIGURED"),
        ("status", "OK"),
    ] {
        assert_eq!(details[part], status, "{details}");
    }
    assert_eq!((&details["keys"]["status"], &details["keys"]["ageDays"]), (&json!("OK"), &json!(0)));
    service.app.clock.advance(TimeDelta::days(91));
    let details = ask(Some(token)).await.json();
    assert_eq!((&details["keys"]["status"], &details["status"]), (&json!("WARNING"), &json!("WARNING")));
    assert!(details["keys"]["warning"].as_str().unwrap().contains("rotate"), "{details}");
}

#[tokio::test]
async fn a_redis_that_is_down_shows_in_details_and_metrics_and_stops_nobody() {
    let service = Service::set(&[("redis.url", "unix:///nonexistent/redis.sock")]).await;
    let owner = service.token(&service.installation.tenant().await, TokenRole::Owner);
    let answer = service.call(Method::GET, "/api/health/details", Some(&owner)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((&answer.json()["redis"], &answer.json()["status"]), (&json!("DOWN"), &json!("WARNING")));
    let text = metrics(&service).await;
    assert!(text.contains("subrosa_redis_up 0\n") && text.contains("subrosa_rate_limit_local 1\n"), "{text}");
}

#[tokio::test]
async fn a_service_is_ready_while_its_database_answers_and_nobody_told_it_to_stop() {
    let service = Service::new().await;
    assert_eq!(service.call(Method::GET, "/api/health/ready", None).await.status, StatusCode::OK);
    service.app.operation.stop();
    let answer = service.call(Method::GET, "/api/health/ready", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    let other = Service::new().await;
    other.app.database.close().await;
    assert_eq!(other.call(Method::GET, "/api/health/ready", None).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(other.call(Method::GET, "/api/health", None).await.status, StatusCode::OK);
}

pub(crate) async fn metrics(service: &Service) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let answer = server::serve::metrics(service.app.clone()).oneshot(request).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn metrics_name_templates_and_enums_and_never_what_a_client_wrote() {
    let service = Service::new().await;
    service.call(Method::GET, "/api/health?q=canary", None).await;
    service.call(Method::GET, "/api/canary", Some("canary")).await;
    service.call(Method::from_bytes(b"CANARY").unwrap(), "/docs/canary", None).await;
    service.call(Method::GET, "/docs/canary", None).await;
    let text = metrics(&service).await;
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    for line in [
        r#"subrosa_http_requests_total{route="/api/health",method="GET",status="Success"} 1"#,
        r#"subrosa_http_requests_total{route="none",method="GET",status="ClientError"} 1"#,
        r#"subrosa_http_requests_total{route="/docs/{*file}",method="GET",status="ClientError"} 1"#,
        "subrosa_http_requests_in_flight 0",
        "subrosa_key_age_seconds 0",
        concat!(r#"subrosa_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert!(
        service.call(Method::GET, "/metrics", None).await.status == StatusCode::NOT_FOUND,
        "not on the API's listener"
    );
}

fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is missing in {metrics}")).parse().unwrap()
}

#[tokio::test]
async fn deletion_lags_behind_from_when_bytes_were_to_go_however_often_that_was_tried() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let lag = async || value(&metrics(&service).await, "subrosa_deletion_lag_seconds");
    // An upload that never ended was begun a day ago, and its removal failed just now.
    let mut tx = service.app.database.write(&person.scope).await.unwrap();
    let place = BlobPlace { tenant: person.scope.tenant(), record: Uuid::now_v7(), object: Uuid::now_v7() };
    let _ = expect_upload(&mut tx, RecordKind::Call, (place.record, place.object), Utc::now()).await.unwrap();
    tx.commit().await.unwrap();
    let failed = "UPDATE tenant.blob_deletions SET created_at = now() - interval '1 day', attempts = 2, run_at = now()";
    person.sql(failed.to_owned()).await;
    assert!(lag().await < 1200.0);
    // A recording was to go an hour ago, and nobody came for it.
    let mut tx = service.app.database.write(&person.scope).await.unwrap();
    remove_object(&mut tx, RecordKind::Call, place).await.unwrap();
    tx.commit().await.unwrap();
    let waited =
        "UPDATE tenant.blob_deletions SET created_at = now() - interval '1 hour', due_at = due_at - interval '1 hour'
                    WHERE attempts = 0";
    person.sql(waited.to_owned()).await;
    assert!((3600.0..4800.0).contains(&lag().await));
}

#[tokio::test]
async fn metrics_tell_what_waits_and_for_how_long_and_no_old_numbers_when_the_database_is_away() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    person.upload(1, "title").await;
    let tenant = person.scope.tenant();
    person
        .sql(format!(
            "UPDATE tenant.jobs SET run_at = now() - interval '1 hour';
             UPDATE tenant.artifacts SET created_at = now() - interval '2 hours';
             UPDATE tenant.calls SET created_at = now() - interval '91 days';
             INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, due_at)
               VALUES ('{tenant}', gen_random_uuid(), 1, gen_random_uuid(), now() - interval '3 hours')"
        ))
        .await;
    let text = metrics(&service).await;
    let value = |name: &str| value(&text, name);
    assert_eq!(value(r#"subrosa_jobs{state="Waiting"}"#), 1.0);
    assert_eq!(value(r#"subrosa_jobs{state="Running"}"#), 0.0);
    for (name, hours) in [
        ("subrosa_job_oldest_due_seconds", 1.0),
        ("subrosa_recording_age_seconds", 2.0),
        ("subrosa_retention_lag_seconds", 24.0),
        ("subrosa_deletion_lag_seconds", 3.0),
    ] {
        // Up to the minutes that this test may take.
        assert!((hours * 3600.0..hours * 3600.0 + 1200.0).contains(&value(name)), "{name} is {}", value(name));
    }
    service.app.database.close().await;
    let text = metrics(&service).await;
    for name in [r#"subrosa_jobs{state="Waiting"}"#, "subrosa_recording_age_seconds", "subrosa_deletion_lag_seconds"] {
        assert!(text.contains(&format!("{name} NaN\n")), "{name} in {text}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_not_call_until_they_are_listed() {
    let preflight = async |service: &Service, origin: &str| {
        let request = Request::options("/api/health").header("origin", origin);
        let request = request.header("access-control-request-method", "GET").body(Body::empty()).unwrap();
        let answer = service.send(request).await;
        answer.headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap().to_owned())
    };
    assert_eq!(preflight(&Service::new().await, "https://app.example").await, None);
    let listed = Service::set(&[("http.cors_origins", "https://app.example")]).await;
    assert_eq!(preflight(&listed, "https://app.example").await.as_deref(), Some("https://app.example"));
    assert_eq!(preflight(&listed, "https://app.example.evil").await, None);
    assert_eq!(preflight(&listed, "null").await, None);
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let service = Service::set(&[("http.public_url", "https://calls.example")]).await;
    for path in ["/api/health", "/api/nothing", "/openapi.json", "/docs/"] {
        let headers = service.call(Method::GET, path, None).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["strict-transport-security"], "max-age=63072000; includeSubDomains", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(headers["cache-control"] == "no-store", path != "/docs/", "{path}");
    }
    let plain = Service::new().await.call(Method::GET, "/api/health", None).await;
    assert!(!plain.headers.contains_key("strict-transport-security"), "no promise where there is no TLS");
}

#[tokio::test]
async fn the_description_is_the_committed_one_and_its_page_asks_nobody_else() {
    let service = Service::new().await;
    let served = service.call(Method::GET, "/openapi.json", None).await.json();
    assert_eq!(served["openapi"], "3.1.0");
    let committed: serde_json::Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
    assert!(served == committed, "renew it: target/release/subrosa openapi > docs/openapi.json");
    let page = service.call(Method::GET, "/docs/", None).await;
    assert_eq!(page.status, StatusCode::OK);
    for file in ["index.html", "swagger-initializer.js"] {
        let text = service.call(Method::GET, &format!("/docs/{file}"), None).await;
        let text = String::from_utf8(text.body).unwrap();
        assert!(!text.contains("https://"), "{file}: {text}");
    }
    assert_eq!(service.call(Method::GET, "/docs/swagger-ui-bundle.js", None).await.status, StatusCode::OK);
    assert_eq!(service.call(Method::GET, "/docs/../secrets", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_for_generated_clients() {
    let service = Service::set(&[("debug.call_events", "true")]).await;
    let document = service.call(Method::GET, "/openapi.json", None).await.json();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[tokio::test]
async fn every_operation_asks_for_a_credential_unless_the_description_says_that_anybody_may() {
    let service = Service::set(&[("debug.call_events", "true"), ("voice_profiles.enabled", "true")]).await;
    let document = service.call(Method::GET, "/openapi.json", None).await.json();
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let mut open = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let ways = operation.get("security").unwrap_or(&document["security"]).as_array().unwrap();
            if ways.contains(&json!({})) {
                open.push(format!("{method} {path}"));
                continue;
            }
            let address: Vec<_> =
                path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part }).collect();
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = service.call(method.clone(), &address.join("/"), None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    open.sort();
    assert_eq!(open, OPEN);
}

/// An id of nothing.
const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// What anybody may ask for.
const OPEN: [&str; 7] = [
    "get /api/health",
    "get /api/health/ready",
    "options /api/uploads",
    "post /api/auth/invitations/accept",
    "post /api/auth/login",
    "post /api/auth/logout",
    "post /api/auth/refresh",
];

#[tokio::test]
async fn whoever_finds_a_hole_is_told_whom_to_tell_where_the_operator_says_so() {
    let silent = Service::new().await;
    assert_eq!(silent.call(Method::GET, "/.well-known/security.txt", None).await.status, 404);
    let settings =
        [("http.security_contact", "mailto:security@example.com"), ("http.public_url", "https://calls.example.com/")];
    let service = Service::with(Blobs::memory(), &settings).await;
    let answer = service.call(Method::GET, "/.well-known/security.txt", None).await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let text = String::from_utf8(answer.body).unwrap();
    let fields: Vec<_> = text.lines().map(|line| line.split_once(": ").unwrap()).collect();
    let [("Contact", contact), ("Expires", expires), ("Canonical", canonical)] = fields[..] else { panic!("{text}") };
    assert_eq!(
        (contact, canonical),
        ("mailto:security@example.com", "https://calls.example.com/.well-known/security.txt")
    );
    let valid = expires.parse::<DateTime<Utc>>().unwrap() - Utc::now();
    assert!((TimeDelta::days(30)..TimeDelta::days(366)).contains(&valid), "{valid}");
}
