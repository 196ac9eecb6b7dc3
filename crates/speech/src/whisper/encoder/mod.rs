//! Whisper's encoder (Radford et al. 2022, section 2.2) in bf16, for the processors that multiply in it: log-mel features
//! of one window in, 1,500 states out. It takes its weights from the same `model.bin` as the engine behind
//! [`super::network`], which encodes where this one cannot. Why there is one: docs/adr/006.
//!
//! The residual stream is f32; what goes into a product is rounded to bf16 (relative error 4e-3), sums are f32.

mod attention;
mod weights;

#[cfg(test)]
mod tests;

use std::{
    arch::x86_64::_mm512_add_ps,
    fs::File,
    io::{Read, Seek},
    path::Path,
};

use attention::{Attention, HEAD};
use weights::{Weights, WeightsError};

use super::mel::{FRAMES, POSITIONS};
use crate::kernels::{
    linear::{HALVES, Linear, bf16, by_tap, pack_rows, put},
    tile::{BLOCK, Block, DEPTH, EDGE, Tile, TileUnit},
    vector,
};

/// Positions filled up to whole blocks.
const ROWS: usize = POSITIONS.next_multiple_of(BLOCK);
/// Frames filled up to whole blocks.
const FRAME_ROWS: usize = FRAMES.next_multiple_of(BLOCK);
/// Rows that go through a feed-forward layer together: their hidden numbers, 1 MB in the base model, stay in the
/// second-level cache, 2.6 MB in the largest ones near it.
const FEED_ROWS: usize = 256;
/// The reach of both convolutions.
const TAPS: usize = 3;

/// The encoder's weights, which threads share.
pub(super) struct Encoder {
    bands: usize,
    size: usize,
    conv1: Linear,
    conv2: Linear,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

struct Layer {
    attention_norm: Norm,
    /// Queries, keys and values, one below the other.
    project: Linear,
    merge: Linear,
    feed_norm: Norm,
    widen: Linear,
    narrow: Linear,
}

struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Encoder {
    /// Whether this machine can run it.
    pub(super) fn available() -> bool {
        TileUnit::available()
    }

    /// Takes the encoder out of a model directory; `None` where it is not laid out as this encoder needs it.
    ///
    /// # Errors
    /// When `model.bin` cannot be read.
    pub(super) fn load(model: &Path, bands: usize) -> Result<Option<Self>, String> {
        let file = File::open(model.join("model.bin")).map_err(WeightsError::Io);
        match file.and_then(Weights::open).and_then(|mut model| Self::read(&mut model, bands)) {
            Ok(encoder) => Ok(Some(encoder)),
            Err(WeightsError::Io(error)) => Err(format!("model.bin: {error}")),
            Err(_) => Ok(None),
        }
    }

    fn read<R: Read + Seek>(model: &mut Weights<R>, bands: usize) -> Result<Self, WeightsError> {
        let size = model.shape("encoder/layer_norm/gamma")?.first().copied().unwrap_or(0);
        let heads = model.numbers("encoder/num_heads", &[])?;
        if size == 0 || heads != [size as f32 / HEAD as f32] {
            return Err(WeightsError::Variable("encoder/num_heads".to_owned()));
        }
        let layers: Vec<_> =
            (0..).map(|i| format!("encoder/layer_{i}/")).take_while(|scope| model.has_scope(scope)).collect();
        if layers.is_empty() {
            return Err(WeightsError::Variable("encoder/layer_0".to_owned()));
        }
        Ok(Self {
            bands,
            size,
            conv1: convolution(model, "encoder/conv1", size, bands)?,
            conv2: convolution(model, "encoder/conv2", size, size)?,
            positions: model.numbers("encoder/position_encodings/encodings", &[POSITIONS, size])?,
            layers: layers.iter().map(|scope| Layer::load(model, scope, size)).collect::<Result<_, _>>()?,
            norm: Norm::load(model, "encoder/layer_norm", size)?,
        })
    }

    /// Numbers in a state.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Encodes one window, `[bands, FRAMES]` to `[POSITIONS, size]`.
    ///
    /// # Panics
    /// Where [`Encoder::available`] says no, or when `features` is not one window.
    pub(super) fn encode(&self, features: &[f32]) -> Vec<f32> {
        assert_eq!(features.len(), self.bands * FRAMES, "one full window of features");
        #[expect(clippy::expect_used, reason = "whoever loads the encoder has asked whether it is available")]
        let unit = TileUnit::acquire().expect("a processor that multiplies in bf16");
        // SAFETY: a TileUnit is handed out only where AVX-512 with bf16 is there as well.
        unsafe { self.forward(&unit, features) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn forward(&self, unit: &TileUnit, features: &[f32]) -> Vec<f32> {
        let mut stream = self.convolve(unit, features);
        let steps = self.size / DEPTH;
        let mut tiles = vec![Tile::ZERO; ROWS / EDGE * steps];
        let mut attention = Attention::new(self.size / HEAD);
        let widest = self.layers.iter().map(|layer| layer.narrow.steps()).max().unwrap_or(0);
        let mut hidden = vec![Tile::ZERO; FEED_ROWS / EDGE * widest];
        for layer in &self.layers {
            layer.attention_norm.apply(&stream, &mut tiles);
            layer.project(unit, &tiles, &mut attention, self.size);
            attention.attend(unit, &mut tiles, steps);
            layer.merge.multiply(unit, &tiles, |row, column, block| {
                add(&layer.merge, &mut stream, self.size, row, column, block);
            });
            layer.feed_norm.apply(&stream, &mut tiles);
            layer.feed(unit, &tiles, &mut hidden, &mut stream, self.size);
        }
        let mut states = vec![0.0; POSITIONS * self.size];
        for (from, to) in stream.chunks_exact(self.size).zip(states.chunks_exact_mut(self.size)) {
            vector::normalise(from, &self.norm.gamma, &self.norm.beta, |at, value| vector::store(to, at, value));
        }
        states
    }

    /// Two convolutions over time, the second at every other frame, and the positions' encodings.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn convolve(&self, unit: &TileUnit, features: &[f32]) -> Vec<f32> {
        // With a frame of silence before the first, what a tap of three sees is one run of numbers.
        let mut frames = vec![0; (FRAMES + TAPS - 1) * self.bands];
        for (band, values) in features.chunks_exact(FRAMES).enumerate() {
            for (t, &value) in values.iter().enumerate() {
                frames[(t + 1) * self.bands + band] = bf16(value);
            }
        }
        let mut tiles = vec![Tile::ZERO; FRAME_ROWS / EDGE * self.conv1.steps()];
        let taps = frames.windows(TAPS * self.bands).step_by(self.bands);
        pack_rows(taps, self.conv1.steps(), &mut tiles);

        let mut heard = vec![0; (FRAME_ROWS + TAPS) * self.size];
        self.conv1.multiply(unit, &tiles, |row, column, block| {
            for (r, line) in block.0.iter().enumerate().take(FRAMES.saturating_sub(row)) {
                for at in HALVES {
                    let value = vector::gelu(self.conv1.finish(vector::load(line, at), column + at));
                    vector::store_bf16(&mut heard, (row + r + 1) * self.size + column + at, value);
                }
            }
        });
        let mut tiles = vec![Tile::ZERO; ROWS / EDGE * self.conv2.steps()];
        let taps = heard.windows(TAPS * self.size).step_by(2 * self.size).take(POSITIONS);
        pack_rows(taps, self.conv2.steps(), &mut tiles);

        let mut stream = vec![0.0; ROWS * self.size];
        self.conv2.multiply(unit, &tiles, |row, column, block| {
            for (r, line) in block.0.iter().enumerate().take(POSITIONS.saturating_sub(row)) {
                for at in HALVES {
                    let place = (row + r) * self.size + column + at;
                    let value = vector::gelu(self.conv2.finish(vector::load(line, at), column + at));
                    vector::store(&mut stream, place, _mm512_add_ps(value, vector::load(&self.positions, place)));
                }
            }
        });
        stream
    }
}

impl Layer {
    fn load<R: Read + Seek>(model: &mut Weights<R>, scope: &str, size: usize) -> Result<Self, WeightsError> {
        let wide = model.shape(&format!("{scope}ffn/linear_0/bias"))?.first().copied().unwrap_or(0);
        Ok(Self {
            attention_norm: Norm::load(model, &format!("{scope}self_attention/layer_norm"), size)?,
            project: linear(model, &format!("{scope}self_attention/linear_0"), 3 * size, size)?,
            merge: linear(model, &format!("{scope}self_attention/linear_1"), size, size)?,
            feed_norm: Norm::load(model, &format!("{scope}ffn/layer_norm"), size)?,
            widen: linear(model, &format!("{scope}ffn/linear_0"), wide, size)?,
            narrow: linear(model, &format!("{scope}ffn/linear_1"), size, wide)?,
        })
    }

    /// Queries, keys and values of every head.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn project(&self, unit: &TileUnit, tiles: &[Tile], attention: &mut Attention, size: usize) {
        let mut finished = Block::ZERO;
        self.project.multiply(unit, tiles, |row, column, block| {
            for (line, to) in block.0.iter().zip(&mut finished.0) {
                for at in HALVES {
                    vector::store(to, at, self.project.finish(vector::load(line, at), column + at));
                }
            }
            let (head, half) = (column % size / HEAD, column % HEAD / DEPTH);
            match column / size {
                0 => attention.put_queries(row, head, half, &finished),
                1 => attention.put_keys(row, head, half, &finished),
                _ => attention.put_values(row, head, half, &finished),
            }
        });
    }

    /// The feed-forward half of the layer, added to the stream.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn feed(&self, unit: &TileUnit, tiles: &[Tile], hidden: &mut [Tile], stream: &mut [f32], size: usize) {
        let wide = self.narrow.steps();
        for (i, rows) in tiles.chunks(FEED_ROWS / EDGE * self.widen.steps()).enumerate() {
            let hidden = &mut hidden[..rows.len() / self.widen.steps() * wide];
            self.widen.multiply(unit, rows, |row, column, block| {
                for (r, line) in block.0.iter().enumerate() {
                    for at in HALVES {
                        let value = vector::gelu(self.widen.finish(vector::load(line, at), column + at));
                        put(hidden, wide, row + r, column + at, value);
                    }
                }
            });
            self.narrow.multiply(unit, hidden, |row, column, block| {
                add(&self.narrow, stream, size, i * FEED_ROWS + row, column, block);
            });
        }
    }
}

impl Norm {
    fn load<R: Read + Seek>(model: &mut Weights<R>, scope: &str, size: usize) -> Result<Self, WeightsError> {
        Ok(Self {
            gamma: model.numbers(&format!("{scope}/gamma"), &[size])?,
            beta: model.numbers(&format!("{scope}/beta"), &[size])?,
        })
    }

    /// Normalises rows into tiles.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn apply(&self, stream: &[f32], tiles: &mut [Tile]) {
        let size = self.gamma.len();
        for (i, row) in stream.chunks_exact(size).enumerate() {
            vector::normalise(row, &self.gamma, &self.beta, |at, value| put(tiles, size / DEPTH, i, at, value));
        }
    }
}

/// Adds a finished block to the stream.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn add(linear: &Linear, stream: &mut [f32], size: usize, row: usize, column: usize, block: &Block) {
    for (r, line) in block.0.iter().enumerate() {
        for at in HALVES {
            let place = (row + r) * size + column + at;
            let value = linear.finish(vector::load(line, at), column + at);
            let sum = _mm512_add_ps(value, vector::load(stream, place));
            vector::store(stream, place, sum);
        }
    }
}

/// A linear layer, whose weights may be integers with a scale for each output.
fn linear<R: Read + Seek>(
    model: &mut Weights<R>,
    scope: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Linear, WeightsError> {
    if outputs == 0 || !outputs.is_multiple_of(BLOCK) {
        return Err(WeightsError::Variable(format!("{scope}/bias")));
    }
    let weights = model.numbers(&format!("{scope}/weight"), &[outputs, inputs])?;
    let scale = scales(model, scope, outputs)?;
    Ok(Linear::new(&weights, inputs, scale, model.numbers(&format!("{scope}/bias"), &[outputs])?))
}

/// A convolution of three taps as a linear layer over three neighbouring frames.
fn convolution<R: Read + Seek>(
    model: &mut Weights<R>,
    scope: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Linear, WeightsError> {
    let weights = model.numbers(&format!("{scope}/weight"), &[outputs, inputs, TAPS])?;
    let weights = by_tap(&weights, inputs, TAPS, inputs);
    let scale = scales(model, scope, outputs)?;
    Ok(Linear::new(&weights, inputs * TAPS, scale, model.numbers(&format!("{scope}/bias"), &[outputs])?))
}

/// What the outputs are to be multiplied with: the format divides integer weights by their scale.
fn scales<R: Read + Seek>(model: &mut Weights<R>, scope: &str, outputs: usize) -> Result<Vec<f32>, WeightsError> {
    let name = format!("{scope}/weight_scale");
    if !model.has(&name) {
        return Ok(vec![1.0; outputs]);
    }
    let scales = model.numbers(&name, &[outputs])?;
    if !scales.iter().all(|&scale| scale.is_finite() && scale > 0.0) {
        return Err(WeightsError::Variable(name));
    }
    Ok(scales.into_iter().map(f32::recip).collect())
}
