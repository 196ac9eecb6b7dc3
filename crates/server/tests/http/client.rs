//! A service for a test, and somebody who calls it in this process: no port, no network.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header::AUTHORIZATION},
    response::Response,
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::{
    app::{App, Parts},
    auth::{Auth, passwords::Passwords, tokens::TokenRole},
    clock::Clock,
    config::{Config, Layers},
    db::Scope,
    router,
    vault::blobs::Blobs,
};
use sqlx::Connection as _;
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
        Self::made(Blobs::memory(), settings, Router::new()).await
    }

    /// A service that keeps recordings in this store.
    pub(crate) async fn with(blobs: Blobs, settings: &[(&str, &str)]) -> Self {
        Self::made(blobs, settings, Router::new()).await
    }

    /// A service with routes of a test beside its own, behind the same guards.
    pub(crate) async fn with_routes(settings: &[(&str, &str)], routes: Router<App>) -> Self {
        Self::made(Blobs::memory(), settings, routes).await
    }

    async fn made(blobs: Blobs, settings: &[(&str, &str)], routes: Router<App>) -> Self {
        let installation = Installation::new().await;
        let app = open(&installation, blobs, Clock::movable(), settings).await;
        let router =
            if routes.has_routes() { router::guarded(routes, app.clone()) } else { router::service(app.clone()) };
        Self { router, app, installation }
    }

    /// What a listener would serve.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Another program over the same installation.
    pub(crate) async fn beside(&self) -> (App, Router) {
        let app = open(&self.installation, Blobs::memory(), self.app.clock.clone(), &[]).await;
        (app.clone(), router::service(app))
    }

    /// An access token of a new session, whose user is made what the role says.
    pub(crate) fn token(&self, scope: &Scope, role: TokenRole) -> String {
        let (session, who) = (Uuid::now_v7(), (scope.tenant(), scope.user(), role));
        // Not async, for its many callers: the session is made on a thread of its own.
        std::thread::scope(|threads| {
            let made = threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self.session(session, scope, role));
            });
            made.join().unwrap();
        });
        self.app.auth.tokens.issue(who, session, self.app.clock.now()).unwrap().0
    }

    async fn session(&self, session: Uuid, scope: &Scope, role: TokenRole) {
        let (number, shares): (i16, bool) = match role {
            TokenRole::Owner => (1, false),
            TokenRole::Admin => (2, false),
            TokenRole::Member => (3, false),
            TokenRole::Auditor => (4, false),
            TokenRole::Colleague => (3, true),
        };
        let mut superuser = self.installation.postgres.superuser().await;
        let (tenant, user) = (scope.tenant(), scope.user());
        let statements = format!(
            "UPDATE tenant.memberships SET role = {number} WHERE tenant_id = '{tenant}' AND user_id = '{user}';
             UPDATE tenant.tenants SET shares_calls = shares_calls OR {shares} WHERE tenant_id = '{tenant}';
             INSERT INTO global.sessions (id, family, user_id, tenant_id, token_hash, expires_at)
               VALUES ('{session}', '{session}', '{user}', '{tenant}', sha256(uuid_send('{session}')), now() + interval '1 day')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut superuser).await.unwrap();
        superuser.close().await.unwrap();
    }

    /// An answer whose body is still to come.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open(request).await;
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

async fn open(installation: &Installation, blobs: Blobs, clock: Clock, settings: &[(&str, &str)]) -> App {
    let flags = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (config, _) = Config::load(&Layers { flags, ..Layers::default() }).unwrap();
    let (database, vault) = installation.with_keys(&installation.keys).await.unwrap();
    // The cheapest bcrypt there is: tests make many users.
    let auth = Auth::with(&vault, Passwords::with_cost(vault.system_keys(), 4));
    App::new(Parts { database, vault, blobs, clock, auth, config }).unwrap()
}
