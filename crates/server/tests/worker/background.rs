//! What runs beside the API: upkeep, and its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use server::{
    app::{App, Parts},
    auth::Auth,
    background,
    clock::Clock,
    config::Config,
    db::Scope,
    vault::blobs::Blobs,
    worker::Recognise,
};
use speech::{
    audio::Blocks,
    transcribe::{Options, TranscribeError, Transcription, Watch},
};
use tokio::sync::Notify;

use crate::studio::{self, Studio, wav};

/// Models that say when they begin and hear nothing of an end until they are let go.
#[derive(Default)]
struct Deaf {
    begun: Arc<Notify>,
    may_end: Arc<AtomicBool>,
}

impl Recognise for Deaf {
    fn recognise(&self, _: Box<dyn Blocks>, _: &Options, _: Watch<'_>) -> Result<Transcription, TranscribeError> {
        self.begun.notify_one();
        while !self.may_end.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(2));
        }
        Err(TranscribeError::Cancelled)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_does_not_end_does_not_hold_up_the_end_and_is_left_to_its_lease() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let (database, vault) = studio.installation.with_keys(&studio.installation.keys).await.unwrap();
    let (auth, mut config) = (Auth::new(&vault), Config::default());
    config.limits.shutdown_time = Duration::from_millis(50);
    let blobs = studio.app.blobs.clone();
    let app = App::new(Parts { database, vault, blobs, clock: Clock::default(), auth, config }).unwrap();
    let deaf = Deaf::default();
    let (begun, may_end) = (Arc::clone(&deaf.begun), Arc::clone(&deaf.may_end));
    let mut worker = studio::worker(app.clone(), Arc::default());
    worker.recogniser = Some(Arc::new(deaf));
    let stop = async {
        begun.notified().await;
        app.operation.stop();
    };
    let running = async { tokio::join!(background::run(&app, Some(worker), None), stop) };
    let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
    may_end.store(true, Ordering::Relaxed);
    ended.expect("it ends although the call does not");
    assert_eq!(studio.ask("SELECT (state, attempts) FROM tenant.jobs").await, "(2,1)", "somebody else will take it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_passes_a_tenant_that_fails_and_removes_what_was_left_half_written() {
    let objects = tempfile::tempdir().unwrap();
    let studio = Studio::with(Blobs::local(objects.path()).unwrap()).await;
    let mut tenants = [studio.installation.tenant().await, studio.installation.tenant().await];
    tenants.sort_by_key(Scope::tenant);
    for scope in tenants {
        let (tenant, user) = (scope.tenant(), scope.user());
        studio
            .sql(format!(
                "INSERT INTO tenant.uploads (tenant_id, id, owner_id, length, expires_at)
                   VALUES ('{tenant}', gen_random_uuid(), '{user}', 1, now() - interval '1 hour')"
            ))
            .await;
    }
    let bad = tenants[0].tenant();
    studio
        .sql(format!(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ASSERT false; END';
             CREATE TRIGGER refuse BEFORE DELETE ON tenant.uploads FOR EACH ROW WHEN (OLD.tenant_id = '{bad}')
               EXECUTE FUNCTION public.refuse()"
        ))
        .await;
    let staged = objects.path().join("blobs/00000001#1");
    std::fs::create_dir(staged.parent().unwrap()).unwrap();
    std::fs::write(&staged, b"half").unwrap();
    let old = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
    std::fs::File::options().write(true).open(&staged).unwrap().set_modified(old).unwrap();
    let look = async {
        studio.until("SELECT string_agg(tenant_id::text, ' ') FROM tenant.uploads", &bad.to_string()).await;
        while staged.exists() {
            tokio::task::yield_now().await;
        }
        studio.app.operation.stop();
    };
    tokio::join!(background::run(&studio.app, None, None), look);
}
