//! Audio in, words and turns out: synchronous, pure, without network or database.
//!
//! The stages stand in files of their own, in the order in which a recording passes them: [`audio`], [`vad`],
//! [`whisper`] and [`diarize`] side by side, [`align`], [`normalize`]. [`transcribe`] joins them into a pass over a
//! recording whose memory does not grow with its length. Models are paths here; fetching them is the caller's business.

pub mod align;
pub mod audio;
pub mod diarize;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod kernels;
pub mod language;
pub mod metrics;
mod net;
pub mod normalize;
#[cfg(test)]
#[path = "../tests/signals/mod.rs"]
mod signals;
pub mod transcribe;
pub mod transcript;
pub mod vad;
pub mod voiceprint;
pub mod whisper;
pub mod writing;

pub use net::NetError;

/// The sample rate in Hz at which every stage after [`audio`] works.
pub const SAMPLE_RATE: u32 = 16_000;
