//! Sessions of browsers, as a page of ours and as somebody else's.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::json;

use crate::{
    accounts::PASSWORD,
    client::{Answer, Service},
    sign_in::owner,
};

type Headers = &'static [(&'static str, &'static str)];

const OWN: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

async fn send(service: &Service, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "calls.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    service.send(request.body(Body::from(body)).unwrap()).await
}

async fn sign_in(service: &Service, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"email": "ann@example.org", "password": PASSWORD, "keeping": "COOKIE"}).to_string();
    send(service, Method::POST, "/api/auth/login", headers, body).await
}

/// What the browser would send back.
fn jar(answer: &Answer) -> String {
    let pairs = answer.headers.get_all("set-cookie").into_iter();
    let pairs: Vec<&str> = pairs.map(|value| value.to_str().unwrap().split(';').next().unwrap()).collect();
    pairs.join("; ")
}

#[tokio::test]
async fn a_browser_gets_two_cookies_that_no_script_and_no_other_host_sees_and_no_token_in_the_body() {
    let service = Service::new().await;
    owner(&service, "ann@example.org").await;
    let answer = sign_in(&service, &OWN).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.json().get("accessToken").is_none() && answer.json().get("refreshToken").is_none());
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").into_iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2);
    for (cookie, age) in cookies.iter().zip(["600", "1209600"]) {
        assert!(cookie.starts_with("__Host-subrosa-"), "{cookie}");
        let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
        assert_eq!(attributes, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict", &format!("Max-Age={age}")]);
    }
}

#[tokio::test]
async fn a_cookie_speaks_for_somebody_only_from_a_page_of_ours() {
    let service = Service::new().await;
    owner(&service, "ann@example.org").await;
    let jar = jar(&sign_in(&service, &OWN).await);
    let patch = r#"{"displayName":"Ann"}"#;
    let cases: [(Headers, bool, bool); 9] = [
        (&OWN, true, true),
        (&[("sec-fetch-site", "none")], true, false),
        (&[("sec-fetch-site", "same-site")], false, false),
        (&[("sec-fetch-site", "cross-site")], false, false),
        (&[("sec-fetch-site", "cross-site"), ("origin", "https://calls.example")], false, false),
        (&[("origin", "https://calls.example")], true, true),
        (&[("origin", "https://attacker.example")], false, false),
        (&[("origin", "null")], false, false),
        (&[], true, false),
    ];
    for (from, reads, writes) in cases {
        let headers: Vec<_> = from.iter().copied().chain([("cookie", jar.as_str())]).collect();
        let status = |allowed| if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
        let got = send(&service, Method::GET, "/api/users/me", &headers, String::new()).await.status;
        assert_eq!(got, status(reads), "GET {from:?}");
        let got = send(&service, Method::PATCH, "/api/users/me", &headers, patch.to_owned()).await.status;
        assert_eq!(got, status(writes), "PATCH {from:?}");
    }
    // Nor can somebody else's page sign a browser in.
    assert_eq!(sign_in(&service, &[("sec-fetch-site", "cross-site")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(sign_in(&service, &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn cookies_are_renewed_by_a_page_of_ours_and_cleared_at_sign_out() {
    let service = Service::new().await;
    owner(&service, "ann@example.org").await;
    let old = jar(&sign_in(&service, &OWN).await);
    let with =
        |jar: &str, site: &str| [("cookie".to_owned(), jar.to_owned()), ("sec-fetch-site".to_owned(), site.to_owned())];
    let post = async |path: &str, jar: &str, site: &str| {
        let headers = with(jar, site);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        send(&service, Method::POST, path, &headers, String::new()).await
    };
    assert_eq!(post("/api/auth/refresh", &old, "cross-site").await.status, StatusCode::FORBIDDEN);
    let renewed = post("/api/auth/refresh", &old, "same-origin").await;
    assert_eq!(renewed.status, StatusCode::OK);
    assert!(renewed.json().get("refreshToken").is_none());
    let new = jar(&renewed);
    assert_ne!(new, old);
    assert_eq!(post("/api/auth/logout", &new, "cross-site").await.status, StatusCode::FORBIDDEN);
    let out = post("/api/auth/logout", &new, "same-origin").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers.get_all("set-cookie").into_iter().all(|v| v.to_str().unwrap().ends_with("Max-Age=0")));
    assert_eq!(post("/api/auth/refresh", &new, "same-origin").await.status, StatusCode::UNAUTHORIZED);
}
