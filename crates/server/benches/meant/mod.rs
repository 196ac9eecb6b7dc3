//! Memories of calls whose passages point anywhere: what comparing them costs does not hang on what they mean.

use std::path::PathBuf;

use insight::search::{
    meaning::{DIMENSIONS, MODEL, Vector},
    memory,
};

/// The directory of the model, where `make models` lays it out.
pub fn model() -> PathBuf {
    let data = PathBuf::from(std::env::var_os("SUBROSA_DATA_DIR").unwrap_or_else(|| "../../.data".into()));
    data.join("models/all-minilm-l6-v2")
}

/// What is remembered of a call of these words and so many passages.
pub fn memory<'w>(chance: &mut fastrand::Rng, words: impl Iterator<Item = &'w str>, passages: usize) -> Vec<u8> {
    let vector = |number| {
        let steps: [i8; DIMENSIONS] = std::array::from_fn(|_| chance.i8(-127..=127));
        let length = steps.iter().map(|one| f32::from(*one).powi(2)).sum::<f32>().sqrt();
        (number, [0; 16], Vector { scale: 1.0 / length, steps })
    };
    memory::write(MODEL, words, (0..passages).map(vector))
}
