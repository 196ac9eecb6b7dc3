//! `Idempotency-Key`: a change that is asked for again is not made again; the first answer is given once more, for 24 hours. Its one
//! invariant: a key stands for one request of one user; with another request it is refused, and while the first one is being served
//! the second one is too. Answers are sealed under the key of the call they tell about, or of the user's data, without the secrets that are shown once; keys and
//! requests are stored as HMACs.

mod store;

use std::convert::Infallible;

use api::error::ErrorCode;
use aws_lc_rs::hmac;
use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts as _, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{CONTENT_TYPE, ETAG, LOCATION},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    app::App,
    auth::Caller,
    db::Role,
    error::{ApiError, ApiResult},
    http::request_id,
    telemetry::log,
    vault::{keys::IndexKey, seal::RecordKind},
};

use store::renew;
pub use store::{Claim, claim, keep, release, sweep};

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Characters of a key: a UUID has 36; this leaves room for a prefix of the client's.
const MAX_KEY: usize = 255;

/// Bytes of a request body that is read to be compared: the limit of every JSON body.
const MAX_REQUEST: usize = 2 << 20;

/// Bytes of an answer that is kept. Changes answer with what they changed; the largest is a corrected segment.
const MAX_ANSWER: usize = 1 << 20;

/// Headers that belong to what is asked, beside the body.
const ASKED: [HeaderName; 3] =
    [CONTENT_TYPE, HeaderName::from_static("upload-length"), HeaderName::from_static("upload-metadata")];

/// Headers of an answer that are given again.
const ANSWERED: [HeaderName; 5] = [
    CONTENT_TYPE,
    LOCATION,
    ETAG,
    HeaderName::from_static("deletion-receipt"),
    HeaderName::from_static("upload-expires"),
];

/// What stands for a request: HMACs under a key of the tenant, of the client's key and of what was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The call that the answer tells about, under whose key it is kept: it goes with the call.
    pub call: Option<Uuid>,
    /// Of the client's key.
    pub key: [u8; 32],
    /// Of the request.
    pub request: [u8; 32],
}

impl Fingerprint {
    /// The fingerprint of a request that is made of `parts`.
    ///
    /// # Errors
    /// When the tenant's key cannot be had.
    pub async fn of(app: &App, caller: &Caller, key: &str, parts: &[&[u8]]) -> ApiResult<Self> {
        let mut tx = app.database.read(caller.scope()).await?;
        let index = IndexKey::Request.derive(&*app.vault.tenant_key(&mut tx).await?);
        drop(tx);
        let mac = hmac::Key::new(hmac::HMAC_SHA256, index.expose());
        Ok(Self { call: None, key: tag(&mac, &[b"key", key.as_bytes()]), request: tag(&mac, parts) })
    }
}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// The header, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header")]
pub struct IdempotencyKey {
    /// Makes asking again safe, for 24 hours.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    key: Option<String>,
}

/// The client's key, if it sent one.
///
/// # Errors
/// When it is empty, too long, or holds anything but visible ASCII.
pub fn key_in(headers: &HeaderMap) -> ApiResult<Option<&str>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let is_good = |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let refused = || ApiError::field("Idempotency-Key", "an idempotency key has 1 to 255 visible ASCII characters");
    value.to_str().ok().filter(is_good).map(Some).ok_or_else(refused)
}

/// An answer that was given.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// An answer of this status with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, body: &[u8]) -> Self {
        let headers = vec![(CONTENT_TYPE.to_string(), "application/json".to_owned())];
        Self { status: status.as_u16(), headers, body: STANDARD_NO_PAD.encode(body) }
    }

    /// The answer once more.
    ///
    /// # Errors
    /// When what was stored is not an answer.
    pub fn again(&self) -> ApiResult<Response> {
        let broken = || ApiError::internal("a kept answer cannot be read");
        let body = STANDARD_NO_PAD.decode(&self.body).map_err(|_| broken())?;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status).map_err(|_| broken())?;
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name).map_err(|_| broken())?;
            response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(|_| broken())?);
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }
}

/// An answer with a secret that is shown once. Who asks again gets the rest of it: a stored secret would not be stored as a hash alone.
pub struct ShownOnce<T> {
    /// The answer.
    pub shown: T,
    /// The answer without the secret.
    pub kept: T,
}

/// The record whose content an answer holds, where the address of the request does not say it: an extension of the answer, which is kept
/// under that record's key and goes with it.
#[derive(Clone, Copy)]
pub struct TellsOf(pub RecordKind, pub Uuid);

/// What is kept of an answer in place of its body.
#[derive(Clone)]
struct Kept(Bytes);

impl<T: Serialize> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        let kept = match serde_json::to_vec(&self.kept) {
            Ok(kept) => Kept(kept.into()),
            Err(error) => return ApiError::internal(&error).into_response(),
        };
        let mut response = Json(self.shown).into_response();
        response.extensions_mut().insert(kept);
        response
    }
}

/// Serves changes that carry a key at most once. Uploads stream and look after themselves; sign-in gives out secrets, which are kept
/// nowhere.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let changes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    if !changes || !request.headers().contains_key(HEADER) || streams(&request) || is_sign_in(&request) {
        return next.run(request).await;
    }
    // To the end, and its answer is kept, when the connection goes away: that is when clients ask again.
    let served = request_id::to_its_end(serve_once(app, request, next)).await;
    served.unwrap_or_else(|error| Err(ApiError::internal(&error))).unwrap_or_else(ApiError::into_response)
}

fn streams(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("multipart/") || kind.starts_with("application/offset+octet-stream")
}

fn is_sign_in(request: &Request) -> bool {
    request.uri().path().starts_with("/api/auth/")
}

async fn serve_once(app: App, request: Request, next: Next) -> ApiResult<Response> {
    let (mut parts, body) = request.into_parts();
    let Ok(caller) = Caller::from_request_parts(&mut parts, &app).await else {
        // The handler says what is wrong with the credential.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    // The database keeps no keys of theirs, and the little that auditors may change is the same when it is changed twice.
    if caller.scope().role() == Role::Auditor {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let Some(key) = key_in(&parts.headers)?.map(str::to_owned) else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let too_large = |_| ApiError::new(ErrorCode::PayloadTooLarge, "the body is too large, or broke off");
    let body = to_bytes(body, MAX_REQUEST).await.map_err(too_large)?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let mut asked = vec![parts.method.as_str().as_bytes(), target.as_bytes(), &body];
    asked.extend(ASKED.iter().map(|name| parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes)));
    let fingerprint = Fingerprint::of(&app, &caller, &key, &asked).await?;
    let fingerprint = Fingerprint { call: told_about(&parts), ..fingerprint };

    let mut tx = app.database.write(caller.scope()).await?;
    let claim = claim(&mut tx, &app.vault, &fingerprint, times(&app)).await?;
    tx.commit().await?;
    if let Some(answer) = claim.answer()? {
        return answer.again();
    }
    // Some changes take longer than a request may: as long as this one is being made, nobody makes it again.
    let response = tokio::select! {
        response = next.run(Request::from_parts(parts, Body::from(body))) => response,
        never = keep_claim(&app, &caller, &fingerprint) => match never {},
    };
    settle(&app, &caller, &fingerprint, response).await
}

/// Says again and again that a request is still being served. What fails is said again.
async fn keep_claim(app: &App, caller: &Caller, fingerprint: &Fingerprint) -> Infallible {
    loop {
        sleep(app.operation.config.limits.request_time).await;
        let renewed = async {
            let mut tx = app.database.write(caller.scope()).await?;
            renew(&mut tx, fingerprint, app.clock.now()).await?;
            tx.commit().await
        };
        if let Err(error) = renewed.await {
            log::warning!(fault = &error, "the claim of a change that is being made was not renewed");
        }
    }
}

/// The call whose content an answer may hold. That of a deletion holds none, and outlives the call.
fn told_about(parts: &Parts) -> Option<Uuid> {
    let rest = parts.uri.path().strip_prefix("/api/calls/").filter(|_| parts.method != Method::DELETE)?;
    rest.split('/').next()?.parse().ok()
}

/// Now, and how long a request counts as being served after its last sign of life: twice the time between two.
#[must_use]
pub fn times(app: &App) -> (DateTime<Utc>, TimeDelta) {
    let most = app.operation.config.limits.request_time * 2;
    (app.clock.now(), TimeDelta::from_std(most).unwrap_or(TimeDelta::days(1)))
}

/// Keeps an answer, or frees the key when the answer is that it did not work this time.
async fn settle(app: &App, caller: &Caller, fingerprint: &Fingerprint, response: Response) -> ApiResult<Response> {
    let (mut parts, body) = response.into_parts();
    let status = parts.status;
    let passing = status.is_server_error() || matches!(status.as_u16(), 401 | 408 | 429);
    let unreadable = |_| ApiError::internal("an answer is too large to be kept");
    let body = to_bytes(body, MAX_ANSWER).await.map_err(unreadable)?;
    let mut tx = app.database.write(caller.scope()).await?;
    if passing {
        release(&mut tx, fingerprint).await?;
    } else {
        let header = |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
        let headers = ANSWERED.iter().filter_map(header).collect();
        let kept = parts.extensions.remove::<Kept>().map_or_else(|| body.clone(), |kept| kept.0);
        let answer = Answer { status: status.as_u16(), headers, body: STANDARD_NO_PAD.encode(&kept) };
        let tells_of = parts.extensions.remove::<TellsOf>();
        keep(&mut tx, &app.vault, fingerprint, (tells_of, &answer)).await?;
    }
    tx.commit().await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

impl Claim {
    /// The answer that was given before; `None` when the request is to be served now.
    ///
    /// # Errors
    /// When the key stands for another request, or the first one is still being served.
    pub fn answer(self) -> ApiResult<Option<Answer>> {
        let conflict = |message| ApiError::new(ErrorCode::IdempotencyConflict, message);
        match self {
            Self::Mine => Ok(None),
            Self::Answered(answer) => Ok(Some(answer)),
            Self::Other => Err(conflict("this idempotency key was used for another request; take a new one")),
            Self::Pending => {
                Err(conflict("the first request with this idempotency key is still being served; ask again")
                    .retry_after(1))
            }
        }
    }
}
