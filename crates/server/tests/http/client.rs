//! A service for a test, and somebody who calls it in this process: no port, no network.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header::AUTHORIZATION},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::{
    app::App,
    auth::tokens::TokenRole,
    clock::Clock,
    config::{Config, Layers},
    db::Scope,
    router,
    vault::blobs::Blobs,
};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::kit::Installation;

/// An installation that serves.
pub(crate) struct Service {
    pub(crate) installation: Installation,
    pub(crate) app: App,
    router: Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Service {
    pub(crate) async fn new() -> Self {
        Self::set(&[]).await
    }

    /// A service with some settings that are not the default.
    pub(crate) async fn set(settings: &[(&str, &str)]) -> Self {
        Self::with_routes(settings, Router::new()).await
    }

    /// A service with routes of a test beside its own, behind the same guards.
    pub(crate) async fn with_routes(settings: &[(&str, &str)], routes: Router<App>) -> Self {
        let flags = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (config, _) = Config::load(&Layers { flags, ..Layers::default() }).unwrap();
        let installation = Installation::new().await;
        let (database, vault) = installation.with_keys(&installation.keys).await.unwrap();
        let app = App::configured(database, vault, Blobs::memory(), Clock::movable(), config).unwrap();
        let router =
            if routes.has_routes() { router::guarded(routes, app.clone()) } else { router::service(app.clone()) };
        Self { router, app, installation }
    }

    /// What a listener would serve.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// An access token of a new session.
    pub(crate) fn token(&self, scope: &Scope, role: TokenRole) -> String {
        let who = (scope.tenant(), scope.user(), role);
        self.app.auth.tokens.issue(who, Uuid::now_v7(), self.app.clock.now()).unwrap().0
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes().to_vec() }
    }

    /// A request without a body.
    pub(crate) async fn call(&self, method: Method, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A request with a JSON body.
    pub(crate) async fn send_json(&self, method: Method, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}
