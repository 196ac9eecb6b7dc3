//! Recordings, a service's worker to give them to, and models that are played.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use server::{
    analysis_provider::Engine,
    app::{App, Parts},
    auth::Auth,
    clock::Clock,
    config::Config,
    db::{Database, Scope},
    decoder::Decoder,
    queue::{self, JobKind},
    recordings,
    vault::{
        blobs::{BlobPlace, Blobs},
        keys::Vault,
        seal::RecordKind,
    },
    worker::{Recognise, Timing, Worker},
};
use speech::{
    align::SpokenWord,
    audio::Blocks,
    diarize::Turn,
    normalize::{self, Provenance},
    transcribe::{Options, Progress, Stage, TranscribeError, Transcription, Watch},
    transcript::Word,
};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::kit::Installation;

/// What is "said" in every recording.
pub(crate) const CANARY: &str = "quokka";

/// The process that decodes, which here is this test binary.
pub(crate) fn decoder() -> Decoder {
    process("a_process_that_decodes")
}

/// One of the ignored tests of `decoder.rs`, alone in a process.
pub(crate) fn process(test: &str) -> Decoder {
    let this: PathBuf = std::env::current_exe().unwrap();
    Decoder::new(this, ["--ignored", "--exact", &format!("decoder::{test}"), "--nocapture"])
}

/// A second of a tone in each of `channels`, as WAVE at 8 kHz.
pub(crate) fn wav(channels: u16) -> Vec<u8> {
    let frames = 8000u32;
    let data = frames * u32::from(channels) * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((data + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(8000u32.to_le_bytes());
    file.extend((8000 * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(16u16.to_le_bytes());
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    for frame in 0..frames {
        for channel in 0..channels {
            let tone = (f64::from(frame) * 0.05 * f64::from(channel + 1)).sin() * 8000.0;
            file.extend((tone as i16).to_le_bytes());
        }
    }
    file
}

/// Models that are played: they listen to the whole recording and hear one word.
#[derive(Default)]
pub(crate) struct Played {
    /// How often it was asked.
    pub(crate) asked: AtomicU32,
    /// Waits until it is cancelled.
    pub(crate) never_ends: bool,
    /// Fails.
    pub(crate) fails: bool,
    /// What it hears behind the canary.
    pub(crate) says: &'static str,
}

impl Recognise for Played {
    fn recognise(
        &self,
        mut recording: Box<dyn Blocks>,
        _: &Options,
        watch: Watch<'_>,
    ) -> Result<Transcription, TranscribeError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut samples = 0;
        while let Some(block) = recording.next_block()? {
            samples += block[0].len();
        }
        let duration = samples as f64 / 16_000.0;
        (watch.progress)(Progress { stage: Stage::Recognising, done_seconds: 0.5, total_seconds: Some(1.0) });
        if self.never_ends {
            while !watch.cancelled.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(2));
            }
            return Err(TranscribeError::Cancelled);
        }
        if self.fails {
            return Err(TranscribeError::Stage { stage: "recognition", reason: "played".to_owned() });
        }
        let texts = std::iter::once(CANARY).chain(self.says.split_whitespace());
        let words = texts.enumerate().map(|(place, text)| {
            let start_seconds = 0.1 + place as f64 * 0.01;
            let word =
                Word { text: text.to_owned(), start_seconds, end_seconds: start_seconds + 0.01, confidence: 0.9 };
            SpokenWord::new(word, "en".to_owned(), Some(0))
        });
        let words = words.collect();
        let provenance = Provenance { whisper: "played".to_owned(), embedding: None, channels: false };
        let transcript = normalize::transcript(words, duration, Vec::new(), &provenance);
        Ok(Transcription { transcript, turns: vec![Turn { speaker: 0, start: 0.1, end: 0.4 }], voices: None })
    }
}

/// An installation with a worker's parts.
pub(crate) struct Studio {
    pub(crate) installation: Installation,
    pub(crate) app: App,
}

impl Studio {
    pub(crate) async fn new() -> Self {
        Self::with(Blobs::memory()).await
    }

    pub(crate) async fn with(blobs: Blobs) -> Self {
        let installation = Installation::new().await;
        let (database, vault) = installation.with_keys(&installation.keys).await.unwrap();
        Self { app: app(database, vault, blobs), installation }
    }

    /// A worker that looks often, so that no test waits.
    pub(crate) fn worker(&self, models: Arc<Played>) -> Worker {
        worker(self.app.clone(), models)
    }

    /// Uploads a recording and enqueues its call.
    pub(crate) async fn upload(&self, scope: Scope, recording: Vec<u8>) -> Uuid {
        upload((&self.app.database, &self.app.vault, &self.app.blobs), scope, recording).await
    }

    /// A session that no guard holds.
    pub(crate) async fn sql(&self, statement: impl Into<String>) {
        let mut superuser = self.installation.postgres.superuser().await;
        sqlx::raw_sql(AssertSqlSafe(statement.into())).execute(&mut superuser).await.unwrap();
        superuser.close().await.unwrap();
    }

    /// One value that no guard hides, as text.
    pub(crate) async fn ask(&self, expression: &str) -> String {
        let mut superuser = self.installation.postgres.superuser().await;
        let row = sqlx::query(AssertSqlSafe(format!("SELECT coalesce(({expression})::text, '')")))
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        superuser.close().await.unwrap();
        row.get(0)
    }

    /// Looks until the expression has that value.
    pub(crate) async fn until(&self, expression: &str, value: &str) {
        let mut last = String::new();
        for _ in 0..PATIENCE {
            last = self.ask(expression).await;
            if last == value {
                return;
            }
        }
        panic!("{expression} stayed {last}, not {value}");
    }
}

/// Looks before a test gives up; each is a new session and takes some milliseconds.
const PATIENCE: u32 = 5_000;

pub(crate) fn worker(app: App, models: Arc<Played>) -> Worker {
    let timing = Timing {
        poll: Duration::from_millis(20),
        heartbeat: Duration::from_millis(20),
        progress: Duration::from_millis(20),
        ..Timing::default()
    };
    Worker {
        app,
        recogniser: Some(models),
        decoder: decoder(),
        analyst: Engine::Local,
        region: "local".to_owned(),
        capacity: 4,
        timing,
    }
}

/// As the service stores an upload.
pub(crate) async fn upload(
    (database, vault, blobs): (&Database, &Vault, &Blobs),
    scope: Scope,
    recording: Vec<u8>,
) -> Uuid {
    let call = Uuid::now_v7();
    let mut tx = database.write(&scope).await.unwrap();
    let new = vault.new_record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    tx.rollback().await.unwrap();
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: call };
    let bytes = blobs.write(&new.key, place, stream::iter([Ok(Bytes::from(recording))])).await.unwrap();
    let mut tx = database.write(&scope).await.unwrap();
    new.store(&mut tx).await.unwrap();
    sqlx::query("INSERT INTO tenant.calls (tenant_id, id, owner_id) VALUES ($1, $2, $3)")
        .bind(scope.tenant())
        .bind(call)
        .bind(scope.user())
        .execute(tx.conn())
        .await
        .unwrap();
    recordings::stored(&mut tx, place, bytes).await.unwrap();
    queue::enqueue(&mut tx, call, JobKind::Process).await.unwrap();
    tx.commit().await.unwrap();
    call
}

/// A worker at work, until it is told to stop or killed.
pub(crate) struct Working {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Working {
    pub(crate) fn start(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel();
        let until = async {
            let _ = stopped.await;
        };
        Self { stop, task: tokio::spawn(worker.run(until)) }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }

    /// Ends it in the middle of whatever it does, as `kill -9` would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// A service as it is when nothing was set.
pub(crate) fn app(database: Database, vault: Vault, blobs: Blobs) -> App {
    let (auth, config) = (Auth::new(&vault), Config::default());
    App::new(Parts { database, vault, blobs, clock: Clock::movable(), auth, config }).unwrap()
}
