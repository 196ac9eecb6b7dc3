//! Voiceprints: how one voice sounds, so that it is known again in a call. Its one invariant: what a [`Voiceprint`] holds is read in
//! this file and nowhere else; everybody else has bytes that say nothing and a score (H12 of the privacy contract).
//!
//! The networks are those that tell speakers apart ([`crate::diarize`]). A voiceprint belongs to the very file of weights that made it:
//! vectors of two networks, or of two versions of one, lie in different spaces, and comparing them would give a number that means nothing.
//!
//! ```compile_fail,E0616
//! fn look(voiceprint: &speech::voiceprint::Voiceprint) -> &[u8] {
//!     &voiceprint.0
//! }
//! ```
//! ```compile_fail,E0624
//! fn compare(voiceprint: &speech::voiceprint::Voiceprint) {
//!     let _ = voiceprint.open();
//! }
//! ```
//! ```compile_fail,E0308
//! fn copy(voiceprint: &speech::voiceprint::Voiceprint) -> speech::voiceprint::Voiceprint {
//!     voiceprint.clone() // There is one, and it is zeroed when it is dropped.
//! }
//! ```

mod sample;

pub use sample::{Enroller, MAX_SECONDS, MIN_SECONDS, MIN_SPEECH_SECONDS, Sample, SampleError};
use zeroize::Zeroizing;

use crate::diarize::{DIMENSIONS, Voice, VoiceModel};

/// What a blob begins with; the last digit is the version of this layout.
const MAGIC: &[u8; 8] = b"SUBVOIC1";

/// Bytes of the digest by which a model is known (SHA-256).
const DIGEST: usize = 32;

/// How far from 1 the length of a stored vector may be: what rounding to f32 leaves is far less.
const LENGTH_TOLERANCE: f32 = 1e-3;

/// Undisturbed speech, in seconds as [`Voice::seconds`] counts it, below which nothing is said about a voice: below it, two women of one
/// call came as near as .85, and halves of one sentence as far as .65.
const MIN_HEARD: f64 = 3.0;

/// How one voice sounds. Opaque: it can be stored, and compared by the engine that knows its model.
pub struct Voiceprint(Zeroizing<Vec<u8>>);

crate::unprinted!(Voiceprint);

/// Why a voiceprint says nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is none, or was damaged.
    #[error("the voiceprint is damaged: record a new sample")]
    Damaged,
    /// Another model made it.
    #[error("the voiceprint was made by another model: record a new sample")]
    OtherModel,
    /// A network failed on the recording.
    #[error("the voices of the recording could not be heard")]
    Unheard,
}

/// How much a speaker of a recording sounds like a voiceprint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoiceScore {
    /// Index of the speaker, as in the turns.
    pub speaker: usize,
    /// 0 to 1; from .75 on it is likely the same person, from .85 on nearly sure.
    pub score: f32,
}

impl Voiceprint {
    /// A voiceprint as it was stored. Whether it is one shows when it is compared.
    #[must_use]
    pub fn stored(blob: Zeroizing<Vec<u8>>) -> Self {
        Self(blob)
    }

    /// The bytes to store.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.0
    }

    /// Of a voice that `model` heard.
    fn of(model: &VoiceModel, voice: &Voice) -> Self {
        let mut blob =
            Zeroizing::new(Vec::with_capacity(MAGIC.len() + DIGEST + voice.embedding.len() * size_of::<f32>()));
        blob.extend(MAGIC);
        blob.extend(model.digest());
        voice.embedding.iter().for_each(|x| blob.extend(x.to_le_bytes()));
        Self(blob)
    }

    /// Opens it for comparing voices that `model` hears.
    pub(crate) fn open(&self, model: &VoiceModel) -> Result<Known, Unusable> {
        let rest = self.0.strip_prefix(MAGIC).ok_or(Unusable::Damaged)?;
        let (digest, vector) = rest.split_at_checked(DIGEST).ok_or(Unusable::Damaged)?;
        if digest != model.digest() {
            return Err(Unusable::OtherModel);
        }
        let (numbers, rest) = vector.as_chunks::<{ size_of::<f32>() }>();
        let embedding: Zeroizing<Vec<f32>> = Zeroizing::new(numbers.iter().map(|x| f32::from_le_bytes(*x)).collect());
        // A number that is none fails the comparison as well.
        let is_unit = (cosine(&embedding, &embedding).sqrt() - 1.0).abs() <= LENGTH_TOLERANCE;
        if !rest.is_empty() || numbers.len() != DIMENSIONS || !is_unit {
            return Err(Unusable::Damaged);
        }
        Ok(Known { embedding, calibration: Calibration::of(model) })
    }
}

/// A voiceprint that is being compared.
pub(crate) struct Known {
    embedding: Zeroizing<Vec<f32>>,
    calibration: Calibration,
}

impl Known {
    /// How much the voices of some speakers sound like it; who said too little has no score.
    pub(crate) fn scores<'v>(&self, voices: impl Iterator<Item = (usize, &'v Voice)>) -> Vec<VoiceScore> {
        let heard = voices.filter(|(_, voice)| voice.seconds >= MIN_HEARD);
        let score = |voice: &Voice| self.calibration.score(cosine(&self.embedding, &voice.embedding));
        heard.map(|(speaker, voice)| VoiceScore { speaker, score: score(voice) }).collect()
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// From the cosine of two unit vectors to a score that means the same for every network: a logistic curve through two points.
struct Calibration {
    /// Cosine at which the score is .75.
    likely: f32,
    /// Cosine at which it is .85.
    sure: f32,
}

impl Calibration {
    /// Where the thresholds of each network lie, and from which pairs, is in `docs/benchmarks.md`.
    fn of(model: &VoiceModel) -> Self {
        match model {
            VoiceModel::Ge2e(_) => Self { likely: 0.88, sure: 0.92 },
            VoiceModel::WeSpeaker(_) => Self { likely: 0.60, sure: 0.68 },
        }
    }

    fn score(&self, cosine: f32) -> f32 {
        let logit = |p: f32| (p / (1.0 - p)).ln();
        let (from, to) = (logit(0.75), logit(0.85));
        let at = from + (cosine - self.likely) / (self.sure - self.likely) * (to - from);
        let score = 1.0 / (1.0 + (-at).exp());
        if score.is_finite() { score } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
