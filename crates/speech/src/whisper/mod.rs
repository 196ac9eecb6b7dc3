//! Speech to words with Whisper: windows of up to 30 s go through a pool of recognisers that all calls share.
//!
//! `window` packs speech, `mel` makes features, `network` computes, `decode` searches and checks, `words` gives times,
//! `notes` drops what is written about sounds, `language` follows the language, `pool` shares the work between calls
//! and cores.

mod bpe;
mod decode;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod encoder;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[path = "encoder_absent.rs"]
mod encoder;
mod language;
mod mel;
mod network;
mod notes;
mod pool;
mod tokenizer;
mod window;
mod words;

pub use pool::{Heard, Recogniser, Session, SessionOptions};
pub use window::{Span, Window};
