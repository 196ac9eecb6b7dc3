//! Calls: recordings that are taken in, what is known of them, how far they are, and their end.
//!
//! Invariant: a call's row, its key, its recording and the job that processes it are committed together, and what is said of it is one
//! sealed document.

pub mod deletions;
pub mod events;
pub mod facts;
pub mod forms;
pub mod legal_hold;
pub mod routes;
pub mod store;
pub mod subject;
pub mod tus;
pub mod upload;

use api::calls::{CallDetail, CallProgress, CallStatus, CallSummary, Direction, RecordingMetadata};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Access, TenantTx},
    error::{ApiError, ApiResult},
    http::page,
    vault::seal::Field,
};
use store::Row;

/// Characters of a title, a name, an organization.
pub(crate) const MAX_NAME: usize = 500;

/// Characters of a telephone number with its spaces and extension.
pub(crate) const MAX_NUMBER: usize = 64;

/// Characters of notes and summaries: some ten pages.
pub(crate) const MAX_TEXT: usize = 20_000;

/// The longest that a recorder may say a recording is, in seconds: 31 days.
const MAX_SECONDS: f64 = 2_678_400.0;

/// Calls in one request that names several.
pub(crate) const MAX_IDS: usize = 100;

/// What is said of a call, sealed as one. No printable form: it is content.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallDocument {
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The other party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    /// The other party's number, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The other party's organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What the user noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// How far the clock stood from UTC where it was recorded, in seconds to the east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<i32>,
    /// What the analysis would call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_title: Option<String>,
    /// What it was about by the analysis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_summary: Option<String>,
    /// What the contact was called by which speakers are named in the transcript, until that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_before: Option<String>,
    /// What it is to be called when the legal hold is lifted that keeps it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_behind_hold: Option<Called>,
    /// What was asked of recognition beside the metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognition: Option<Recognition>,
    /// The title of its first action item, which lies in a row of its own.
    #[serde(skip)]
    pub first_action_title: Option<String>,
}

/// By what the other party of a call is called. No printable form: it is content.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Called {
    /// Who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    /// Whom they work for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// What a client may ask of recognition. No printable form: prompts are content.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recognition {
    /// English, whatever is spoken.
    pub translate: bool,
    /// Text that is taken as having come before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Names and terms to expect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hotwords: Option<String>,
}

impl CallDocument {
    /// Where the document of a call is sealed.
    #[must_use]
    pub fn field(call: Uuid) -> Field {
        Field::new("calls", "sealed", call)
    }

    /// What is said of a recording when it is uploaded.
    #[must_use]
    pub fn of(metadata: &RecordingMetadata) -> Self {
        Self {
            title: filled(metadata.title.as_deref()),
            contact_name: filled(metadata.contact_name.as_deref()),
            phone_number: filled(metadata.phone_number.as_deref()),
            organization: filled(metadata.organization.as_deref()),
            utc_offset: metadata.recorded_at.map(|at| at.offset().local_minus_utc()),
            ..Self::default()
        }
    }

    /// By what the other party is called, or will be once no hold keeps it as it was.
    pub(crate) fn called(&self) -> Called {
        let now = || Called { contact_name: self.contact_name.clone(), organization: self.organization.clone() };
        self.called_behind_hold.clone().unwrap_or_else(now)
    }

    /// Calls the other party otherwise from now on; a transcript that there is follows ([`crate::transcripts::follow`]). Where there is none
    /// the worker takes the name that it finds, and what was before is remembered nowhere.
    pub(crate) fn call(&mut self, called: Called, is_transcribed: bool) {
        if self.contact_name != called.contact_name {
            let before = std::mem::replace(&mut self.contact_name, called.contact_name);
            // The first one is what the transcript still says; an empty one, where it names nobody yet.
            let first = self.called_before.take().unwrap_or_else(|| before.unwrap_or_default());
            self.called_before = is_transcribed.then_some(first);
        }
        (self.organization, self.called_behind_hold) = (called.organization, None);
    }

    /// What the call is called: what a person says, before what the analysis does.
    #[must_use]
    pub fn shown_title(&self) -> Option<&String> {
        self.title.as_ref().or(self.suggested_title.as_ref())
    }

    /// What it was about, likewise.
    #[must_use]
    pub fn shown_summary(&self) -> Option<&String> {
        self.summary.as_ref().or(self.suggested_summary.as_ref())
    }

    /// Whether a search, in small letters, is in what names the call.
    fn matches(&self, search: &str) -> bool {
        [self.shown_title(), self.contact_name.as_ref(), self.organization.as_ref()]
            .into_iter()
            .flatten()
            .any(|name| name.to_lowercase().contains(search))
    }
}

/// A text without the space around it; none when nothing is left.
pub(crate) fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Refuses a text that is too long.
pub(crate) fn check_length(field: &'static str, text: Option<&str>, most: usize) -> ApiResult<()> {
    match text {
        Some(text) if text.chars().count() > most => {
            Err(ApiError::field(field, "this text is too long").with("maxLength", most))
        }
        _ => Ok(()),
    }
}

/// Refuses a time that the database cannot hold.
pub(crate) fn check_time(field: &'static str, time: Option<DateTime<Utc>>) -> ApiResult<()> {
    if time.is_none_or(page::is_storable) {
        return Ok(());
    }
    Err(ApiError::field(field, "a time is in the years 1 to 9999"))
}

/// Refuses what cannot be true of a recording.
fn check(metadata: &RecordingMetadata) -> ApiResult<()> {
    check_length("title", metadata.title.as_deref(), MAX_NAME)?;
    check_length("contactName", metadata.contact_name.as_deref(), MAX_NAME)?;
    check_length("organization", metadata.organization.as_deref(), MAX_NAME)?;
    check_length("phoneNumber", metadata.phone_number.as_deref(), MAX_NUMBER)?;
    let is_code = |code: &String| matches!(code.len(), 2 | 3) && code.bytes().all(|byte| byte.is_ascii_lowercase());
    if !metadata.language.as_ref().is_none_or(is_code) {
        return Err(ApiError::field("language", "a language is an ISO 639 code of two or three small letters"));
    }
    if !metadata.channels.is_none_or(|channels| (1..=32).contains(&channels)) {
        return Err(ApiError::field("channels", "a recording has 1 to 32 channels"));
    }
    check_time("recordedAt", metadata.recorded_at.map(|at| at.to_utc()))?;
    // Not a number is in no range.
    if !metadata.duration_seconds.is_none_or(|seconds| (0.0..=MAX_SECONDS).contains(&seconds)) {
        return Err(ApiError::field("durationSeconds", "a recording is 0 to 2,678,400 seconds long"));
    }
    Ok(())
}

/// The number of a status in the database, and back.
pub(crate) const STATUSES: [CallStatus; 5] =
    [CallStatus::Queued, CallStatus::Transcribing, CallStatus::Analyzing, CallStatus::Completed, CallStatus::Failed];

/// The number of a direction in the database, and back.
const DIRECTIONS: [Direction; 3] = [Direction::Incoming, Direction::Outgoing, Direction::Unknown];

/// The code that the database keeps for one of these: its place, from 1.
pub(crate) fn code_of<T: PartialEq>(codes: &[T], value: &T) -> i16 {
    codes.iter().zip(1..).find_map(|(one, code)| (one == value).then_some(code)).unwrap_or_default()
}

/// What the database's code stands for; its columns allow no other.
pub(crate) fn of_code<T: Copy>(codes: &[T], code: i16) -> ApiResult<T> {
    let known = usize::try_from(code - 1).ok().and_then(|place| codes.get(place).copied());
    known.ok_or_else(|| ApiError::internal("a code in the database that the program does not know"))
}

impl Row {
    pub(crate) fn summary(&self, document: &CallDocument) -> ApiResult<CallSummary> {
        Ok(CallSummary {
            call_id: self.id,
            title: document.shown_title().cloned(),
            contact_name: document.contact_name.clone(),
            direction: of_code(&DIRECTIONS, self.direction)?,
            status: of_code(&STATUSES, self.status)?,
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a month are exact in a double")]
            duration_seconds: self.duration_ms.map(|millis| millis as f64 / 1000.0),
            created_at: self.created_at,
            action_item_count: self.action_items,
            first_action_title: document.first_action_title.clone(),
        })
    }

    pub(crate) fn detail(&self, document: CallDocument) -> ApiResult<CallDetail> {
        Ok(CallDetail {
            call: self.summary(&document)?,
            summary: document.shown_summary().cloned(),
            contact_id: self.contact_id,
            phone_number: document.phone_number,
            organization: document.organization,
            notes: document.notes,
            language: self.language.clone(),
            channels: self.channels,
            recorded_at: self.recorded_at,
            error_reason: self.error_code.clone(),
            percent: self.progress,
            legal_hold: self.legal_hold,
            updated_at: self.updated_at,
        })
    }
}

/// How far a call is.
///
/// # Errors
/// `call_not_found`.
pub(crate) async fn progress<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> ApiResult<CallProgress> {
    let found = store::progress(tx, &[call]).await?;
    found.first().ok_or_else(ApiError::call_not_found)?.shown()
}

impl store::Progress {
    fn shown(&self) -> ApiResult<CallProgress> {
        Ok(CallProgress {
            call_id: self.id,
            status: of_code(&STATUSES, self.status)?,
            percent: self.progress,
            error_reason: self.error_code.clone(),
        })
    }
}
