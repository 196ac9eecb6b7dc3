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
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::telemetry::log;

/// Where the model is, once it was fetched and checked.
type Place = Arc<dyn Fn() -> Option<PathBuf> + Send + Sync>;

/// The model, where there is one.
#[derive(Default)]
pub struct Model {
    place: OnceLock<Place>,
    loaded: OnceLock<Arc<Embedder>>,
    /// Held while a text of the index is embedded, or the model is loaded.
    turn: Mutex<()>,
    is_missed: AtomicBool,
}

impl Model {
    /// Says where to look for it, now and again; without this, search goes by words alone.
    pub fn look_in(&self, place: impl Fn() -> Option<PathBuf> + Send + Sync + 'static) {
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
        let place = Arc::clone(self.place.get()?);
        // Its files are hashed the first time.
        let read = spawn_blocking(move || place().map(|dir| Embedder::load(&dir)));
        match read.await.ok().flatten() {
            Some(Ok(embedder)) => Some(Arc::clone(self.loaded.get_or_init(|| Arc::new(embedder)))),
            found => {
                if !self.is_missed.swap(true, Ordering::Relaxed) {
                    match found {
                        None => log::warning!("search goes by words alone: `subrosa models pull all-minilm-l6-v2`"),
                        Some(_) => log::warning!("search goes by words alone: its model is here and cannot be loaded"),
                    }
                }
                None
            }
        }
    }

    /// What a text of the index means.
    pub(super) async fn embed(&self, embedder: &Arc<Embedder>, text: String) -> Option<Vector> {
        let (_turn, embedder) = (self.turn.lock().await, Arc::clone(embedder));
        spawn_blocking(move || embedder.embed(&text)).await.ok().flatten()
    }
}

/// How far a call is remembered, as `search_memory` says it: nothing, its words, all of its passages.
pub(super) const NOTHING: i16 = 0;
pub(super) const WORDS: i16 = 1;
pub(super) const PASSAGES: i16 = 1 + MODEL as i16;
pub(super) const GIVEN_UP: i16 = i16::MAX;
