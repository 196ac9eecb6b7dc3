//! The description of the API for programs, `/openapi.json`, and for people, `/docs`: Swagger UI from inside the program.

use std::sync::{Arc, LazyLock};

use api::error::ErrorCode;
use axum::{
    Router,
    extract::Path,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Redirect},
    routing::get,
};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerFile, serve};

use crate::error::{ApiError, ApiResult};

/// The page asks for nothing that is not ours: no validator of somebody else's.
static PAGE: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::new(["/openapi.json"]).validator_url("none")));

/// The document, and the page that shows it.
pub fn routes<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> Router<S> {
    // Made once; a document that cannot be written would be a defect that its test finds.
    let json: Arc<str> = document.to_json().unwrap_or_default().into();
    Router::new()
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], json.to_string())))
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async || page("index.html")))
        .route("/docs/{*file}", get(async |Path(file): Path<String>| page(&file)))
}

fn page(file: &str) -> ApiResult<impl IntoResponse + use<>> {
    match serve(file, Arc::clone(&PAGE)) {
        Ok(Some(SwaggerFile { bytes, content_type, .. })) => {
            Ok(([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "public, max-age=3600".to_owned())], bytes.into_owned()))
        }
        Ok(None) => Err(ApiError::not_found()),
        Err(_) => Err(ApiError::new(ErrorCode::Internal, "the page of documentation cannot be made")),
    }
}
