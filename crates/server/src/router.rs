//! Every URL of the service, one line each, and the layers around them.

use axum::{Router, extract::DefaultBodyLimit, middleware, response::IntoResponse as _, routing::get};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use api::error::ErrorCode;

use crate::{
    action_items::routes as action_items,
    analyses::routes as analyses,
    analytics::routes as analytics,
    app::App,
    audio, audit, auth,
    calls::{deletions, events, forms, legal_hold, routes as calls, tus},
    contacts::routes as contacts,
    error::ApiError,
    exports::routes as exports,
    health,
    http::{access, docs, headers, idempotency, limits, request_id, security_txt},
    openai::routes as openai,
    redaction, search, tenants,
    transcripts::routes as transcripts,
    users,
    voice_profiles::routes as voice_profiles,
    webhooks::{deliveries, routes as webhooks},
};

/// What holds for every operation.
const DESCRIPTION: &str = "Private speech intelligence for calls.

Changes take an `Idempotency-Key`: asked again with it within 24 hours, a change is not made again and the first answer is given once \
more, with `Idempotency-Replayed: true`; with another request the same key is refused with 409 `idempotency_conflict`. Secrets that are \
shown once (the token of an API key or an invitation) are in the first answer alone. Three kinds of requests take no key and ignore one: \
sign-in (`/api/auth/`), whose tokens and passwords are kept nowhere; `PATCH /api/uploads/{id}`, which `Upload-Offset` makes safe to \
repeat; and `/v1/audio/`, where a recording that is sent again within 24 hours is recognised and processed once.";

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(info(title = "Subrosa", description = DESCRIPTION),
    security(("bearer" = []), ("cookie" = [])), modifiers(&Schemes))]
struct Document;

/// How callers say who they are.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("An access token or an API key"));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let cookie = ApiKeyValue::with_description(auth::cookies::ACCESS, "For pages of the service's own origin");
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

fn operations() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // Sign-in
        .routes(routes!(auth::routes::login))
        .routes(routes!(auth::routes::refresh))
        .routes(routes!(auth::routes::logout))
        .routes(routes!(auth::session_routes::logout_all))
        .routes(routes!(auth::session_routes::list_sessions))
        .routes(routes!(auth::session_routes::end_session))
        .routes(routes!(auth::session_routes::change_password))
        .routes(routes!(auth::routes::accept_invitation))
        // The user and the tenant
        .routes(routes!(users::routes::get, users::routes::change, users::routes::delete))
        .routes(routes!(users::routes::consent))
        .routes(routes!(users::routes::limits))
        .routes(routes!(users::routes::stats))
        .routes(routes!(voice_profiles::enrol, voice_profiles::delete))
        .routes(routes!(voice_profiles::status))
        .routes(routes!(exports::request))
        .routes(routes!(exports::get))
        .routes(routes!(exports::download))
        .routes(routes!(exports::request_subject))
        .routes(routes!(exports::get_subject))
        .routes(routes!(exports::download_subject))
        .routes(routes!(tenants::routes::get, tenants::routes::change, tenants::removal::delete))
        .routes(routes!(audit::routes::list))
        .routes(routes!(tenants::routes::members))
        .routes(routes!(tenants::routes::change_member, tenants::removal::remove_member))
        .routes(routes!(tenants::routes::list_invitations, tenants::routes::invite))
        .routes(routes!(tenants::routes::withdraw))
        .routes(routes!(tenants::api_keys::list, tenants::api_keys::create))
        .routes(routes!(tenants::api_keys::revoke))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::get, webhooks::change, webhooks::delete))
        .routes(routes!(webhooks::replace_secret))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::test))
        .routes(routes!(deliveries::redeliver))
        // Operation
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::details))
        // Calls
        .routes(routes!(forms::analyze))
        .routes(routes!(calls::list, deletions::delete_many))
        .routes(routes!(calls::status))
        .routes(routes!(search::routes::search))
        .routes(routes!(calls::detail, calls::patch, deletions::delete))
        .routes(routes!(calls::link))
        .routes(routes!(legal_hold::get, legal_hold::put))
        .routes(routes!(events::stream))
        .routes(routes!(events::debug))
        .routes(routes!(deletions::receipt))
        .routes(routes!(tus::create, tus::options))
        .routes(routes!(tus::head, tus::patch, tus::delete))
        .routes(routes!(audio::routes::audio))
        // Action items
        .routes(routes!(action_items::list))
        .routes(routes!(action_items::patch))
        .routes(routes!(action_items::of_call, action_items::add))
        .routes(routes!(action_items::put, action_items::delete))
        // Contacts
        .routes(routes!(contacts::list, contacts::add))
        .routes(routes!(contacts::get, contacts::put, contacts::delete))
        // Transcripts
        .routes(routes!(transcripts::transcript))
        .routes(routes!(transcripts::patch_speaker))
        .routes(routes!(transcripts::patch_segment))
        .routes(routes!(redaction::findings::list))
        // Analyses
        .routes(routes!(analyses::analysis))
        .routes(routes!(analyses::reanalyze))
        .routes(routes!(analyses::shared))
        .routes(routes!(analytics::of_call))
        .routes(routes!(analytics::talk))
        .routes(routes!(analytics::vibe))
        // OpenAI's clients
        .routes(routes!(openai::models))
        .routes(routes!(openai::transcriptions))
        .routes(routes!(openai::translations))
}

/// The description of the API, generated from the code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    operations().to_openapi()
}

/// The service.
pub fn service(app: App) -> Router {
    let (router, document) = operations().split_for_parts();
    let router = router.merge(docs::routes(&document)).route(security_txt::PATH, get(security_txt::security_txt));
    guarded(router, app)
}

/// Routes behind every guard that a request passes, from the outside in.
pub fn guarded(routes: Router<App>, app: App) -> Router {
    // Limits of bodies are those of `limits`, by kind of route, and not axum's one for all.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(request_id::layer))
        .layer(middleware::from_fn_with_state(app.clone(), access::layer))
        .layer(middleware::from_fn(openai::shape))
        .layer(middleware::from_fn(tus::version))
        .layer(middleware::from_fn_with_state(app.clone(), headers::layer))
        .layer(CatchPanicLayer::custom(|_| panicked().into_response()))
        .option_layer(headers::cors(&app.operation.config.http.cors_origins))
        .layer(middleware::from_fn_with_state(app.clone(), limits::layer))
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::layer));
    let wrong_method = "this address does not take this method; Allow says which it does";
    routes
        .method_not_allowed_fallback(async move || ApiError::new(ErrorCode::MethodNotAllowed, wrong_method))
        .fallback(async || ApiError::not_found())
        .layer(layers)
        .with_state(app)
}

/// The place of a panic is in the log, by its hook; its message is nowhere.
fn panicked() -> ApiError {
    ApiError::new(ErrorCode::Internal, "something is wrong on our side; the request id finds it in the log")
}
