//! A sample of a voice on its way from the form to a voiceprint. Its one invariant: it is in memory alone, and its two buffers, as it came and
//! decoded ([`Sample`]), are zeroed when they are dropped; the sandboxed process decodes it, as it decodes recordings.
//!
//! The pieces in which it comes, and its blocks on their way from that process, are ordinary memory, which is given back and not zeroed.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::error::ErrorCode;
use axum::{
    extract::multipart::{Field, MultipartError},
    http::StatusCode,
};
use bytes::Bytes;
use speech::{
    audio::AudioError,
    voiceprint::{MAX_SECONDS, MIN_SECONDS, Sample, SampleError, Voiceprint},
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Maker;
use crate::{
    decoder::{DecodeError, Decoder, ReadAt, Refusal},
    error::{ApiError, ApiResult},
    http::form::Fields,
};

/// Bytes of a sample: 45 s of 16 bit at 96 kHz, one channel, are 8.6 MB.
const MAX_BYTES: usize = 10_000_000;

/// Bytes of a form: the sample, the version, boundaries and headers of parts.
pub(super) const MAX_FORM: usize = MAX_BYTES + (64 << 10);

/// Digits of a version.
const MAX_FIELD: usize = 5;

/// How long a sample may take to arrive: its place is one of few.
const ARRIVES: Duration = Duration::from_secs(60);

/// How long it may take to be decoded: it is 45 s long at the most.
const DECODES: Duration = Duration::from_secs(30);

/// What a form holds.
pub(super) struct Form {
    pub(super) sample: Zeroizing<Vec<u8>>,
    pub(super) consent_version: u16,
}

/// Reads the form.
pub(super) async fn read(form: Fields) -> ApiResult<Form> {
    let late = |_| ApiError::new(ErrorCode::RequestTimeout, "the sample comes too slowly");
    timeout(ARRIVES, fields(form)).await.map_err(late)?
}

async fn fields(mut form: Fields) -> ApiResult<Form> {
    let (mut sample, mut version) = (None, None);
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        // An owned name, because the field is consumed.
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" if sample.is_none() => {
                let too_large = || ApiError::new(ErrorCode::PayloadTooLarge, "the sample is too large");
                sample = Some(bytes(field, MAX_BYTES).await?.ok_or_else(|| too_large().with("limitBytes", MAX_BYTES))?);
            }
            "consentVersion" if version.is_none() => {
                let text = bytes(field, MAX_FIELD).await?;
                let parsed = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<u16>().ok());
                let wrong = || ApiError::field("consentVersion", "versions count from 1");
                version = Some(parsed.filter(|version| *version > 0).ok_or_else(wrong)?);
            }
            _ => {
                let message = "a form has the fields file and consentVersion, each once";
                return Err(ApiError::new(ErrorCode::ValidationFailed, message));
            }
        }
    }
    let no_consent = "say which version of the consent to voice profiles is given: add a field named consentVersion";
    Ok(Form {
        consent_version: version.ok_or_else(|| ApiError::field("consentVersion", no_consent))?,
        sample: sample.ok_or_else(|| ApiError::field("file", "the form holds no sample: add a field named file"))?,
    })
}

/// The bytes of a field; `None` when there are more than `most`.
async fn bytes(mut field: Field<'_>, most: usize) -> ApiResult<Option<Zeroizing<Vec<u8>>>> {
    // All at once: a buffer that grows leaves what it held behind. Pages that are not written to are not there.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    while let Some(block) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + block.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&block);
    }
    Ok(Some(bytes))
}

fn broken(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(ErrorCode::PayloadTooLarge, "the form is too large"),
        _ => ApiError::new(ErrorCode::ValidationFailed, "the form is malformed, or broke off"),
    }
}

/// Ends the thread that listens when nobody waits for it any more.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes a voiceprint of a sample, on a thread of its own; `kept` lasts as long as that.
pub(super) async fn voiceprint<T: Send + 'static>(
    maker: Arc<Maker>,
    sample: Zeroizing<Vec<u8>>,
    kept: T,
) -> ApiResult<Voiceprint> {
    let cancel = Cancel(Arc::default());
    let cancelled = Arc::clone(&cancel.0);
    let listen = move || {
        let sample = decode(&maker.decoder, sample, cancelled)?;
        let made = maker.enroller.enrol(&sample).map_err(refused);
        drop(kept);
        made
    };
    tokio::task::spawn_blocking(listen).await.map_err(|_| ApiError::internal("a sample ended its thread"))?
}

fn decode(decoder: &Decoder, sample: Zeroizing<Vec<u8>>, cancelled: Arc<AtomicBool>) -> ApiResult<Sample> {
    // Parts of it are no copies.
    let sample = Bytes::from_owner(sample);
    let length = sample.len() as u64;
    let read_at: ReadAt = Box::new(move |offset, most| {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(sample.len());
        Ok(sample.slice(from..from.saturating_add(most).min(sample.len())))
    });
    let decoder = decoder.clone().stalled_after(DECODES).within(DECODES);
    let decoded = decoder.open(length, read_at, cancelled).map_err(|error| undecoded(&error))?;
    Sample::read(decoded).map_err(refused)
}

/// What is wrong with a sample, and what to do about it.
fn refused(error: SampleError) -> ApiError {
    let (code, message) = match error {
        SampleError::Audio(AudioError::Io(error)) => return unread(&error),
        SampleError::Audio(_) => return undecodable(),
        SampleError::Network(_) => return ApiError::internal("a network failed on a sample"),
        SampleError::TooShort => (ErrorCode::AudioTooShort, "the sample is too short: speak for half a minute"),
        SampleError::TooLong => (ErrorCode::AudioTooLong, "the sample is too long: speak for half a minute"),
        SampleError::TooLittleSpeech => (
            ErrorCode::AudioTooLittleSpeech,
            "the sample holds too little speech: speak for half a minute without long pauses",
        ),
        SampleError::SeveralSpeakers => {
            (ErrorCode::AudioSeveralSpeakers, "more than one person speaks in the sample: record it alone")
        }
        SampleError::TooNoisy => (ErrorCode::AudioTooNoisy, "the sample is too noisy: record it in a quiet place"),
        SampleError::Clipped => (ErrorCode::AudioClipped, "the sample is clipped: record it at a lower level"),
    };
    ApiError::new(code, message).with("minSeconds", MIN_SECONDS).with("maxSeconds", MAX_SECONDS)
}

/// The decoding process's own error is inside of what the stream gives.
fn unread(error: &io::Error) -> ApiError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<DecodeError>()) {
        Some(error) => undecoded(error),
        None => undecodable(),
    }
}

fn undecoded(error: &DecodeError) -> ApiError {
    match error {
        DecodeError::Refused(Refusal::Empty) => ApiError::new(ErrorCode::AudioEmpty, "the sample holds no sound"),
        DecodeError::Refused(Refusal::TooLong) => refused(SampleError::TooLong),
        DecodeError::Refused(_) | DecodeError::Misbehaved(_) | DecodeError::TooSlow => undecodable(),
        DecodeError::Killed | DecodeError::Cancelled | DecodeError::Io(_) => {
            ApiError::new(ErrorCode::Unavailable, "the sample cannot be decoded right now; try again").retry_after(5)
        }
    }
}

fn undecodable() -> ApiError {
    ApiError::new(ErrorCode::AudioUndecodable, "the sample cannot be decoded: send one in a usual audio format")
}
