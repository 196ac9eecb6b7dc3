//! GE2E (Wan et al. 2018, as trained for Resemblyzer) in bf16, for the processors that multiply in it: three LSTMs over the
//! 160 frames of a part, a linear layer on the last state, at unit length. It takes its weights from the graph that rten has
//! loaded, and rten runs that graph everywhere else. Why there is one: docs/adr/010.

use std::arch::x86_64::{_mm512_max_ps, _mm512_setzero_ps};

use super::embedding::{self, BANDS, DIMENSIONS, Embedding, PART};
use crate::{
    kernels::{
        linear::{HALVES, Linear, bf16},
        lstm::{Lstm, ROW_PAIR, SEQUENCES},
        tile::{DEPTH, Tile, TileUnit},
        vector,
    },
    net::Net,
};

/// Numbers of a state.
const HIDDEN: usize = 256;
/// Layers.
const LAYERS: usize = 3;

/// The network's weights, which recordings share.
pub(super) struct Ge2e {
    recurrent: Vec<Lstm>,
    linear: Linear,
}

impl Ge2e {
    /// Takes the network out of its graph; `None` where the machine cannot run it, or the graph was written otherwise.
    pub(super) fn read(net: &Net) -> Option<Self> {
        if !TileUnit::available() {
            return None;
        }
        let recurrent = (0..LAYERS).map(|i| {
            let inputs = if i == 0 { BANDS } else { HIDDEN };
            let input = net.constant(&format!("w{i}"), &[1, 4 * HIDDEN, inputs])?;
            let recurrent = net.constant(&format!("r{i}"), &[1, 4 * HIDDEN, HIDDEN])?;
            let bias = net.constant(&format!("b{i}"), &[1, 8 * HIDDEN])?;
            Some(Lstm::new(&input, &recurrent, &bias, HIDDEN))
        });
        let weights = net.constant("linear_weight", &[DIMENSIONS, HIDDEN])?;
        let bias = net.constant("linear_bias", &[DIMENSIONS])?;
        Some(Self {
            recurrent: recurrent.collect::<Option<_>>()?,
            linear: Linear::new(&weights, HIDDEN, vec![1.0; DIMENSIONS], bias),
        })
    }

    /// The embeddings of as many parts as there are, each [`PART`] frames of [`BANDS`] numbers.
    pub(super) fn run(&self, parts: &[f32]) -> Vec<Embedding> {
        #[expect(clippy::expect_used, reason = "`read` has asked whether it is available")]
        let unit = TileUnit::acquire().expect("a processor that multiplies in bf16");
        // SAFETY: a TileUnit is handed out only where AVX-512 with bf16 is there as well.
        unsafe { parts.chunks(SEQUENCES * PART * BANDS).flat_map(|parts| self.forward(&unit, parts)).collect() }
    }

    /// Up to [`SEQUENCES`] parts.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn forward(&self, unit: &TileUnit, parts: &[f32]) -> Vec<Embedding> {
        let count = parts.len() / (PART * BANDS);
        let steps = BANDS.div_ceil(DEPTH);
        let mut tiles = vec![Tile::ZERO; PART * steps];
        for (i, frame) in parts.chunks_exact(BANDS).enumerate() {
            let (part, moment) = (i / PART, i % PART);
            for (band, &value) in frame.iter().enumerate() {
                tiles[moment * steps + band / DEPTH].0[part * DEPTH + band % DEPTH] = bf16(value);
            }
        }
        for lstm in &self.recurrent {
            tiles = lstm.run(unit, &tiles, PART, count);
        }
        // A product takes pairs of rows; only the last moment counts.
        let last = &tiles[(PART - ROW_PAIR) * HIDDEN / DEPTH..];
        let mut voices = vec![[0.0; DIMENSIONS]; count];
        self.linear.multiply(unit, last, |row, column, block| {
            for (r, line) in block.0.iter().enumerate() {
                let part = (row + r).checked_sub((ROW_PAIR - 1) * SEQUENCES);
                let Some(voice) = part.and_then(|part| voices.get_mut(part)) else { continue };
                for at in HALVES {
                    let value = self.linear.finish(vector::load(line, at), column + at);
                    vector::store(voice, column + at, _mm512_max_ps(value, _mm512_setzero_ps()));
                }
            }
        });
        voices.iter().map(embedding::unit).collect()
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "a test that skips itself says so")]
mod tests {
    use super::{
        super::{
            embedding::Graph,
            features::{Features, Recipe},
        },
        *,
    };
    use crate::signals::{model, sample_call};

    #[test]
    fn voices_are_those_of_the_graph_however_many_there_are() {
        let net = Net::load(&model("ge2e/ge2e.onnx")).unwrap();
        let Some(native) = Ge2e::read(&net) else {
            assert!(!TileUnit::available(), "the converted file is understood");
            println!("skipped: no bf16 here");
            return;
        };
        let features = Features::new(Recipe::MelPower);
        let frames = features.compute(&sample_call());
        let parts: Vec<f32> = frames.chunks_exact(PART * BANDS / 2).take(36).flatten().copied().collect();
        let theirs = Graph::new(net).unwrap().run(&parts, PART, BANDS).unwrap();
        let ours = native.run(&parts);
        assert_eq!((ours.len(), theirs.len()), (18, 18));
        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.9995, "part {i}: {cosine}");
        }
        assert_eq!(native.run(&parts[..PART * BANDS]), ours[..1], "the other rows of a tile make no difference");
        assert!(native.run(&[]).is_empty());
    }
}
