//! Calls in an archive: a folder each, `calls/UUID/`, with what is said of the call, what happened to it, and what was made of it. Its one
//! invariant: a call is in the archive only with its share of the key, given in the transaction that read the call.

use api::calls::{CallDetail, ProcessingEvent};
use insight::export::{Format, Style};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    MAX_CALLS,
    build::{Building, Failure, hold},
    page, recording, store,
};
use crate::{
    action_items, analytics,
    artifacts::{self, Artifact},
    audio::open::Open,
    calls::{self, Recognition},
    db::{TenantTx, Write},
    error::ApiResult,
    transcripts,
    vault::seal::RecordKind,
};

/// Calls that are looked up together.
const BATCH: i64 = 100;

/// What was taken out of a transcript.
const REDACTIONS: &str = "redactions.json";

/// What is stored of a call as one document, besides the transcript, which has a readable form too.
const DOCUMENTS: [(Artifact, &str); 5] = [
    (Artifact::Findings, REDACTIONS),
    (Artifact::RawTranscript, "raw-transcript.json"),
    (Artifact::Diarization, "diarization.json"),
    (Artifact::Analysis, "analysis.json"),
    (Artifact::PhoneEndings, "phone-endings.json"),
];

/// `call.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    #[serde(flatten)]
    call: CallDetail,
    #[serde(skip_serializing_if = "Option::is_none")]
    recognition: Option<Recognition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Value>,
    events: Vec<ProcessingEvent>,
}

/// What is written of a call.
struct Folder {
    about: About,
    transcript: Option<Zeroizing<Vec<u8>>>,
    documents: Vec<(&'static str, Zeroizing<Vec<u8>>)>,
    recording: Option<Open>,
}

/// What the page links to besides what each call has.
#[derive(Clone, Copy)]
pub(super) struct Links {
    pub(super) transcript: bool,
    pub(super) redactions: bool,
    pub(super) recording: bool,
}

/// Adds every call, the newest first: what retention deletes meanwhile is the oldest, which then is not in the archive yet and is left out.
pub(super) async fn fill(building: &mut Building<'_>) -> Result<(), Failure> {
    let mut before = Uuid::max();
    loop {
        let mut tx = building.app.database.write(&building.scope).await?;
        hold(building.claim, &mut tx).await?;
        if building.claim.shares(&mut tx).await? != building.links.len() {
            return Err(Failure::Changed);
        }
        let calls = store::calls(&mut tx, building.tokens.as_deref(), before, BATCH).await?;
        tx.commit().await?;
        let Some(last) = calls.last() else { return Ok(()) };
        before = *last;
        for call in calls {
            if building.links.len() == MAX_CALLS {
                return Err(Failure::TooMany);
            }
            if let Some(folder) = read(building, call).await? {
                write(building, call, folder).await?;
            }
        }
    }
}

/// Reads a call; `None` when it was deleted meanwhile. A deletion at the same time either comes before the share, or destroys it.
async fn read(building: &mut Building<'_>, call: Uuid) -> Result<Option<Folder>, Failure> {
    let (vault, share) = (&building.app.vault, building.split.share()?);
    let mut tx = building.app.database.write(&building.scope).await?;
    // The call is locked before the export, as a deletion does.
    if !building.claim.share(&mut tx, call, &share).await? {
        building.split.take_back(&share);
        return Ok(None);
    }
    hold(building.claim, &mut tx).await?;
    let row = calls::store::get(&mut tx, call).await?;
    let mut document = calls::store::open(&mut tx, vault, &row).await?;
    let recognition = document.recognition.take();
    let (mut events, mut last) = (Vec::new(), None);
    loop {
        let more = calls::store::events(&mut tx, call, last).await?;
        let Some(event) = more.last() else { break };
        last = Some(event.id);
        events.extend(more.iter().map(calls::store::Event::shown).collect::<ApiResult<Vec<_>>>()?);
    }
    let key = vault.record_key(&mut tx, RecordKind::Call, call).await?;
    let transcript = artifacts::get(&mut tx, (call, Artifact::NormalizedTranscript), &key).await?;
    let mut documents = Vec::new();
    for (artifact, name) in DOCUMENTS {
        documents.extend(artifacts::get(&mut tx, (call, artifact), &key).await?.map(|document| (name, document)));
    }
    documents.extend(items(building, &mut tx, call).await?.map(|items| ("action-items.json", items)));
    let metrics = analytics::store::of(&mut tx, call).await?;
    let recording = recording::find(&mut tx, vault, call).await?;
    tx.commit().await?;
    let about = About { call: row.detail(document)?, recognition, metrics, events };
    Ok(Some(Folder { about, transcript, documents, recording }))
}

/// What follows from a call, if anything.
async fn items(
    building: &Building<'_>,
    tx: &mut TenantTx<Write>,
    call: Uuid,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let rows = action_items::store::of_call(tx, call).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let documents = action_items::store::open_all(tx, &building.app.vault, &rows).await?;
    let items = rows.iter().zip(documents).map(|(row, document)| row.shown(document));
    Ok(Some(serde_json::to_vec_pretty(&items.collect::<ApiResult<Vec<_>>>()?)?.into()))
}

async fn write(building: &mut Building<'_>, call: Uuid, folder: Folder) -> Result<(), Failure> {
    let links = Links {
        transcript: folder.transcript.is_some(),
        redactions: folder.documents.iter().any(|(name, _)| *name == REDACTIONS),
        recording: folder.recording.is_some(),
    };
    building.links.insert(call, links);
    let archive = &mut building.archive;
    let about = serde_json::to_vec_pretty(&folder.about)?;
    archive.entry(&format!("calls/{call}/call.json"), about.into()).await?;
    if let Some(transcript) = folder.transcript {
        let text = readable(&transcript)?;
        archive.entry(&format!("calls/{call}/transcript.json"), transcript).await?;
        archive.entry(&format!("calls/{call}/transcript.txt"), text).await?;
    }
    for (name, document) in folder.documents {
        archive.entry(&format!("calls/{call}/{name}"), document).await?;
    }
    match folder.recording {
        Some(open) => recording::add(building, open).await,
        None => Ok(()),
    }
}

/// A transcript as people read it.
fn readable(json: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let transcript = transcripts::store::parse(json)?;
    let mut text = Zeroizing::new(Vec::new());
    insight::export::write(&transcript, Format::Txt, Style::default(), &mut *text)?;
    Ok(text)
}

/// Adds the rows of the calls to the page that was begun.
pub(super) async fn list(building: &mut Building<'_>) -> Result<(), Failure> {
    let mut before = Uuid::max();
    loop {
        let mut tx = building.app.database.write(&building.scope).await?;
        hold(building.claim, &mut tx).await?;
        let ids = store::exported(&mut tx, building.claim, before, BATCH).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        before = *last;
        let rows = calls::store::among(&mut tx, &ids).await?;
        let documents = calls::store::open_all(&mut tx, &building.app.vault, &rows).await?;
        tx.commit().await?;
        let mut html = String::new();
        for (row, document) in rows.iter().zip(documents) {
            let Some(links) = building.links.get(&row.id) else { continue };
            page::call(&mut html, &row.detail(document)?, *links);
        }
        building.archive.add(html).await?;
    }
}
