//! Any recording in, blocks of 16 kHz samples out; then the stages that clean and judge them.
//!
//! A recording passes the files in this order: [`sniff`] tells by its bytes what it is, `container` finds the packets,
//! [`Decoder`] makes samples of them and keeps the time, [`Reader`] resamples. The one invariant: memory does not grow with
//! the recording's length, and the sample at index `n` was heard `n / 16 000` seconds after the recording's start,
//! whatever was damaged, padded or left out before it.

mod amr;
mod channels;
mod container;
mod decoder;
mod denoise;
mod echo;
mod error;
mod gsm;
mod highpass;
mod input;
mod level;
mod mp4;
mod mpeg;
mod opencore;
mod quality;
mod reader;
mod resample;
mod sniff;
mod telephone;
mod wav;

pub use channels::{Layout, LayoutDetector};
pub use decoder::{Damage, Decoder, StreamInfo};
pub use denoise::Denoiser;
pub use echo::{MAX_ECHO_DELAY, is_echo};
pub use error::AudioError;
pub use highpass::HighPass;
pub use input::{Random, Source};
pub use level::{Gain, level};
pub use quality::{Meter, Quality};
pub use reader::{BLOCK_FRAMES, Blocks, Reader};
pub use resample::Resampler;
pub use sniff::{Container, sniff};

/// The longest recording in seconds: the product's five hours, and five minutes for recorders that stop late.
pub const MAX_SECONDS: u64 = 5 * 3600 + 300;

/// The most channels: conference bridges record one channel a party, and 32 parties fill a 1 s block of 2 MB.
pub const MAX_CHANNELS: usize = 32;

/// The lowest sample rate in Hz: half of the telephone network's, below which no speech is left to read.
pub const MIN_RATE: u32 = 4_000;

/// The highest sample rate in Hz: twice what studios use, so that a damaged header cannot ask for gigabytes.
pub const MAX_RATE: u32 = 192_000;
