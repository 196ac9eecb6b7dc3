//! The model that says what texts mean. Its one invariant: it is loaded once, and no more than one text is embedded at a time for the index,
//! so recognition keeps its cores.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use insight::search::meaning::{Embedder, MODEL, Vector};
use tokio::{
    sync::Mutex,
    task::{JoinError, spawn_blocking},
};

use crate::telemetry::log;

/// What is found of the model.
pub enum Look {
    /// It is in this directory, and right.
    Here(PathBuf),
    /// Nobody has fetched it yet.
    Missing,
    /// It is there and is not what it should be.
    Damaged,
}

type Place = Arc<dyn Fn() -> Look + Send + Sync>;

/// The model, where there is one.
#[derive(Default)]
pub struct Model {
    place: OnceLock<Place>,
    loaded: OnceLock<Arc<Embedder>>,
    /// Held while a text of the index is embedded, or the model is loaded.
    turn: Mutex<()>,
    is_missed: AtomicBool,
    /// It was damaged, which took hashing all of it: not again while this program runs.
    is_refused: AtomicBool,
}

impl Model {
    /// Says where to look for it, now and again; without this, search goes by words alone.
    pub fn look_in(&self, place: impl Fn() -> Look + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.place.set(Arc::new(place));
    }

    /// The model, if it is loaded.
    pub fn loaded(&self) -> Option<Arc<Embedder>> {
        self.loaded.get().map(Arc::clone)
    }

    /// The model, which is loaded if it is there by now. That it is not is said once.
    pub(super) async fn find(&self) -> Option<Arc<Embedder>> {
        let _turn = self.turn.lock().await;
        if let Some(loaded) = self.loaded() {
            return Some(loaded);
        }
        if self.is_refused.load(Ordering::Relaxed) {
            return None;
        }
        let place = Arc::clone(self.place.get()?);
        // Its files are hashed the first time.
        let read = spawn_blocking(move || match place() {
            Look::Here(dir) => Some(Embedder::load(&dir).ok()),
            Look::Damaged => Some(None),
            Look::Missing => None,
        });
        match read.await {
            Ok(Some(Some(embedder))) => return Some(Arc::clone(self.loaded.get_or_init(|| Arc::new(embedder)))),
            Ok(None) => {
                if !self.is_missed.swap(true, Ordering::Relaxed) {
                    log::info!(
                        "search goes by words alone: for search by meaning, `subrosa models pull all-minilm-l6-v2`"
                    );
                }
            }
            Ok(Some(None)) | Err(_) => {
                self.is_refused.store(true, Ordering::Relaxed);
                log::warning!(
                    "search goes by words alone: its model is damaged; `subrosa models pull all-minilm-l6-v2`, and start again"
                );
            }
        }
        None
    }

    /// What a text of the index means; `None` where nothing is said.
    pub(super) async fn embed(&self, embedder: &Arc<Embedder>, text: String) -> Result<Option<Vector>, JoinError> {
        let (_turn, embedder) = (self.turn.lock().await, Arc::clone(embedder));
        spawn_blocking(move || embedder.embed(&text)).await
    }
}

/// How far a call is remembered, as `search_memory` says it: nothing, its words, all of its passages.
pub(super) const NOTHING: i16 = 0;
pub(super) const WORDS: i16 = 1;
pub(super) const PASSAGES: i16 = 1 + MODEL as i16;
pub(super) const GIVEN_UP: i16 = i16::MAX;
