//! `/api/users/me/voice-profile`. Its one invariant: where voice profiles are off, nothing here is there, for anybody (S1).

use std::sync::Arc;

use api::{
    error::{ErrorBody, ErrorCode},
    voice_profiles::{VoiceProfileStatus, VoiceSampleForm},
};
use axum::{
    Json,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    response::{AppendHeaders, IntoResponse as _, Response},
};
use speech::voiceprint::Voiceprint;
use uuid::Uuid;

use super::{Maker, end, sample, store};
use crate::{
    app::App,
    audit::{self, Action},
    auth::Caller,
    calls::deletions::RECEIPT,
    db::{Access, TenantTx},
    error::{ApiError, ApiResult},
    http::{
        form::Fields,
        idempotency::{self, Answer, Fingerprint, IdempotencyKey, TellsOf},
        places::Place,
        request_id,
    },
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
pub async fn enrol(State(app): State<App>, caller: ApiResult<Caller>, request: Request) -> ApiResult<Response> {
    let caller = permitted(&app, caller)?;
    caller.session()?;
    let key = idempotency::key_in(request.headers())?.map(str::to_owned);
    let not_a_form = |_| {
        ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "send multipart/form-data with the fields file and consentVersion",
        )
    };
    let fields = Fields::of(request, DefaultBodyLimit::max(sample::MAX_FORM)).await.map_err(not_a_form)?;
    let maker = app.voice_profiles.maker()?;
    let place = app.voice_profiles.place(caller.scope())?;
    let sent = sample::read(fields).await?;
    let fingerprint = match &key {
        Some(key) => {
            let asked: [&[u8]; 4] = [b"POST", PATH, &sent.sample, &sent.consent_version.to_be_bytes()];
            Some(Fingerprint::of(&app, &caller, key, &asked).await?)
        }
        None => None,
    };
    // To the end, when the connection goes away: what was said of a consent is taken back where no profile comes of it.
    let made = request_id::to_its_end(make(app, caller, (maker, sent, place), fingerprint)).await;
    made.map_err(|error| ApiError::internal(&error))?
}

/// Makes a profile, once a key. The consent is there while the sample is listened to, so that it can be withdrawn meanwhile.
async fn make(
    app: App,
    caller: Caller,
    (maker, sent, place): (Arc<Maker>, sample::Form, Place),
    fingerprint: Option<Fingerprint>,
) -> ApiResult<Response> {
    let (version, model) = (sent.consent_version, maker.model.clone());
    let mut tx = app.database.write(caller.scope()).await?;
    if let Some(fingerprint) = &fingerprint {
        let claim = idempotency::claim(&mut tx, &app.vault, fingerprint, idempotency::times(&app)).await?;
        if let Some(answer) = claim.answer()? {
            return answer.again();
        }
    }
    let consent = store::give_consent(&mut tx, version).await?;
    tx.commit().await?;

    let made = match sample::voiceprint(maker, sent.sample, place).await {
        Ok(voiceprint) => store(&app, &caller, (&voiceprint, &model), (consent, version), fingerprint.as_ref()).await,
        Err(refused) => Err(refused),
    };
    if made.is_err() {
        let mut tx = app.database.write(caller.scope()).await?;
        store::forget_consent(&mut tx, consent).await?;
        if let Some(fingerprint) = &fingerprint {
            idempotency::release(&mut tx, fingerprint).await?;
        }
        tx.commit().await?;
    }
    made
}

async fn store(
    app: &App,
    caller: &Caller,
    (voiceprint, model): (&Voiceprint, &str),
    (consent, version): (Uuid, u16),
    fingerprint: Option<&Fingerprint>,
) -> ApiResult<Response> {
    let conflict = |message| ApiError::new(ErrorCode::Conflict, message);
    let mut tx = app.database.write(caller.scope()).await?;
    if !store::hold_consent(&mut tx, consent).await? {
        return Err(conflict("the consent was withdrawn while the sample was listened to"));
    }
    if let Some(before) = store::any(&mut tx).await? {
        end(&mut tx, app.vault.signer(), before).await?;
    }
    let profile = store::insert(&mut tx, &app.vault, voiceprint, (model, version)).await?;
    let profile = profile.ok_or_else(|| conflict("another sample of yours was stored meanwhile; try again"))?;
    audit::record(&mut tx, Action::MakeVoiceProfile, RecordKind::VoiceProfile as i16, profile).await?;
    let made = read(&mut tx).await?;
    if let Some(fingerprint) = fingerprint {
        let body = serde_json::to_vec(&made).map_err(|error| ApiError::internal(&error))?;
        let (answer, tells_of) = (Answer::json(StatusCode::CREATED, &body), TellsOf(RecordKind::VoiceProfile, profile));
        idempotency::keep(&mut tx, &app.vault, fingerprint, (Some(tells_of), &answer)).await?;
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

/// Deletes the caller's voice profile, at once and for good, and withdraws the consent to it, also where the profile is still being made;
/// then there is no receipt.
///
/// # Errors
/// `not_found` where there is neither a profile nor a consent; `forbidden` for API keys and auditors.
#[utoipa::path(delete, operation_id = "delete_voice_profile", path = "/api/users/me/voice-profile", tag = "user", params(IdempotencyKey),
    responses((status = 204, headers(("Deletion-Receipt" = Uuid))), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn delete(State(app): State<App>, caller: ApiResult<Caller>) -> ApiResult<Response> {
    let caller = permitted(&app, caller)?;
    caller.session()?;
    let mut tx = app.database.write(caller.scope()).await?;
    // First: a profile that is being stored rests on a consent, which is waited for here.
    let is_withdrawn = store::withdraw_consent(&mut tx).await?;
    let receipt = match store::any(&mut tx).await? {
        Some(profile) => end(&mut tx, app.vault.signer(), profile).await?,
        None => None,
    };
    if !is_withdrawn && receipt.is_none() {
        return Err(ApiError::not_found());
    }
    tx.commit().await?;
    let receipt = receipt.map(|receipt| AppendHeaders([(RECEIPT, receipt.id.to_string())]));
    Ok((StatusCode::NO_CONTENT, receipt, ()).into_response())
}
