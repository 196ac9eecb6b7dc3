//! `/api/users/me/voice-profile`. Its one invariant: where voice profiles are off, nothing here is there, for anybody (S1).

use api::{
    error::{ErrorBody, ErrorCode},
    voice_profiles::{VoiceProfileStatus, VoiceSampleForm},
};
use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use speech::voiceprint::Voiceprint;

use super::{end, sample, store};
use crate::{
    app::App,
    audit::{self, Action},
    auth::Caller,
    calls::deletions::RECEIPT,
    db::{Access, TenantTx},
    error::{ApiError, ApiResult},
    http::idempotency::{self, Answer, Fingerprint, IdempotencyKey},
    users::routes::has_data,
    vault::seal::RecordKind,
};

/// The address, as requests are told apart by it.
const PATH: &[u8] = b"/api/users/me/voice-profile";

/// Whoever asks, where voice profiles are on.
fn permitted(app: &App, caller: ApiResult<Caller>) -> ApiResult<Caller> {
    if !app.operation.config.voice_profiles.enabled {
        return Err(ApiError::new(ErrorCode::FeatureNotAvailable, "voice profiles are turned off here"));
    }
    let caller = caller?;
    has_data(&caller)?;
    Ok(caller)
}

/// Makes the caller's voice profile of a sample, with the consent that it rests on; one that was there goes.
///
/// # Errors
/// What is wrong with the sample; `forbidden` for API keys and auditors.
#[utoipa::path(post, operation_id = "make_voice_profile", path = "/api/users/me/voice-profile", tag = "user", params(IdempotencyKey),
    request_body(content = VoiceSampleForm, content_type = "multipart/form-data"), responses(
    (status = 201, body = VoiceProfileStatus), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 408, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn enrol(State(app): State<App>, caller: ApiResult<Caller>, mut request: Request) -> ApiResult<Response> {
    let caller = permitted(&app, caller)?;
    caller.session()?;
    let key = idempotency::key_in(request.headers())?.map(str::to_owned);
    // The sample has a limit of its own, which is told by name.
    DefaultBodyLimit::disable().apply(&mut request);
    let not_a_form = |_| {
        ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "send multipart/form-data with the fields file and consentVersion",
        )
    };
    let form = Multipart::from_request(request, &app).await.map_err(not_a_form)?;
    let place = app.voice_profiles.place(caller.scope().user())?;
    let sample::Form { sample, consent_version } = sample::read(form).await?;
    let maker = app.voice_profiles.maker()?;
    let fingerprint = match &key {
        Some(key) => {
            let asked: [&[u8]; 4] = [b"POST", PATH, &sample, &consent_version.to_be_bytes()];
            Some(Fingerprint::of(&app, &caller, key, &asked).await?)
        }
        None => None,
    };
    let model = maker.model.clone();
    let voiceprint = sample::voiceprint(maker, sample, place).await?;
    store(&app, &caller, (&voiceprint, &model, consent_version), fingerprint).await
}

async fn store(
    app: &App,
    caller: &Caller,
    (voiceprint, model, consent): (&Voiceprint, &str, u16),
    fingerprint: Option<Fingerprint>,
) -> ApiResult<Response> {
    let mut tx = app.database.write(caller.scope()).await?;
    if let Some(fingerprint) = &fingerprint {
        let claim = idempotency::claim(&mut tx, &app.vault, fingerprint, idempotency::times(app)).await?;
        if let Some(answer) = claim.answer()? {
            return answer.again();
        }
    }
    if let Some(before) = store::any(&mut tx).await? {
        end(&mut tx, app.vault.signer(), before).await?;
    }
    store::give_consent(&mut tx, consent).await?;
    let busy = || ApiError::new(ErrorCode::Conflict, "another sample of yours was stored meanwhile; try again");
    let profile = store::insert(&mut tx, &app.vault, voiceprint, (model, consent)).await?.ok_or_else(busy)?;
    audit::record(&mut tx, Action::MakeVoiceProfile, RecordKind::VoiceProfile as i16, profile).await?;
    let made = read(&mut tx).await?;
    if let Some(fingerprint) = &fingerprint {
        let body = serde_json::to_vec(&made).map_err(|error| ApiError::internal(&error))?;
        let answer = Answer::json(StatusCode::CREATED, &body);
        idempotency::keep(&mut tx, &app.vault, fingerprint, (None, &answer)).await?;
    }
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

async fn read<A: Access>(tx: &mut TenantTx<A>) -> ApiResult<VoiceProfileStatus> {
    let profile = store::own(tx).await?;
    Ok(VoiceProfileStatus {
        exists: profile.is_some(),
        created_at: profile.as_ref().map(|profile| profile.created_at),
        provider: profile.as_ref().map(|profile| profile.provider.clone()),
        model: profile.as_ref().map(|profile| profile.model.clone()),
        consent_version: profile.and_then(|profile| u16::try_from(profile.consent_version).ok()),
    })
}

/// Whether the caller has a voice profile.
///
/// # Errors
/// `feature_not_available` where voice profiles are off.
#[utoipa::path(get, operation_id = "voice_profile_status", path = "/api/users/me/voice-profile/status", tag = "user", responses(
    (status = 200, body = VoiceProfileStatus), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn status(State(app): State<App>, caller: ApiResult<Caller>) -> ApiResult<Json<VoiceProfileStatus>> {
    let caller = permitted(&app, caller)?;
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(Json(read(&mut tx).await?))
}

/// Deletes the caller's voice profile, at once and for good, and withdraws the consent to it.
///
/// # Errors
/// `not_found` where there is none; `forbidden` for API keys and auditors.
#[utoipa::path(delete, operation_id = "delete_voice_profile", path = "/api/users/me/voice-profile", tag = "user", params(IdempotencyKey),
    responses((status = 204, headers(("Deletion-Receipt" = Uuid))), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn delete(State(app): State<App>, caller: ApiResult<Caller>) -> ApiResult<Response> {
    let caller = permitted(&app, caller)?;
    caller.session()?;
    let mut tx = app.database.write(caller.scope()).await?;
    let profile = store::any(&mut tx).await?.ok_or_else(ApiError::not_found)?;
    store::withdraw_consent(&mut tx).await?;
    let receipt = end(&mut tx, app.vault.signer(), profile).await?.ok_or_else(ApiError::not_found)?;
    tx.commit().await?;
    Ok((StatusCode::NO_CONTENT, [(RECEIPT, receipt.id.to_string())]).into_response())
}
