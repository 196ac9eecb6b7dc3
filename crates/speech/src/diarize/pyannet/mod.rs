//! The segmentation network in bf16, for the processors that multiply in it: PyanNet (Bredin 2020 and pyannote.audio's
//! `models/segmentation/PyanNet.py`), which is SincNet, four bidirectional LSTMs and three linear layers. It takes its
//! weights from the graph that rten has loaded, and rten runs that graph everywhere else. Why there is one: docs/adr/010.
//!
//! Invariant: a run holds one stretch and sixteen windows, under 40 MB, however long the recording is.

mod convolution;
mod sinc;

#[cfg(test)]
mod tests;

use super::segmentation::{CLASSES, Classes, WINDOW, WINDOW_FRAMES};
use crate::{
    kernels::{
        linear::{HALVES, Linear, put},
        lstm::{Lstm, ROW_PAIR, SEQUENCES},
        tile::{BLOCK, DEPTH, Tile, TileUnit},
        vector,
    },
    net::Net,
};

use convolution::{CHANNELS, Convolution, WIDTH};
use sinc::{FILTERS, Filtered, PEAK_STEP, PEAKS, Sinc};

/// What a normalisation adds to the variance.
const EPSILON: f32 = 1e-5;
/// Positions of which a pooling layer keeps one.
const POOL: usize = 3;
/// Rows of tiles that the recurrent layers take.
const MOMENTS: usize = WINDOW_FRAMES.next_multiple_of(ROW_PAIR);
/// Numbers of a recurrent layer's state, a direction each.
const HIDDEN: usize = 128;
/// What a recurrent layer puts out.
const STATES: usize = 2 * HIDDEN;
/// Moments that go through the linear layers together.
const HEAD_MOMENTS: usize = 8;
/// Numbers between the linear layers.
const HEAD: usize = 128;
/// The exporter named the constants of each recurrent layer by numbers: this one is the bias, the next two are the weights.
const LSTM_CONSTANTS: [usize; 4] = [783, 826, 869, 912];

/// The network's weights, which recordings share.
pub(super) struct PyanNet {
    sinc: Sinc,
    convolutions: [Convolution; 2],
    recurrent: Vec<Lstm>,
    head: [Linear; 3],
}

impl PyanNet {
    /// Windows that are best run together.
    pub(super) const BATCH: usize = SEQUENCES;

    /// Takes the network out of its graph; `None` where the machine cannot run it, or the graph was exported otherwise.
    pub(super) fn read(net: &Net) -> Option<Self> {
        if !TileUnit::available() {
            return None;
        }
        let recurrent = LSTM_CONSTANTS.iter().enumerate().map(|(i, &number)| {
            let inputs = if i == 0 { CHANNELS } else { STATES };
            let read = |offset, shape: &[usize]| net.constant(&format!("onnx::LSTM_{}", number + offset), shape);
            let bias = read(0, &[2, 8 * HIDDEN])?;
            let input = read(1, &[2, 4 * HIDDEN, inputs])?;
            let recurrent = read(2, &[2, 4 * HIDDEN, HIDDEN])?;
            Some(Lstm::new(&input, &recurrent, &bias, HIDDEN))
        });
        Some(Self {
            sinc: Sinc::read(net)?,
            convolutions: [Convolution::read(net, 1, FILTERS, FILTERS)?, Convolution::read(net, 2, CHANNELS, WIDTH)?],
            recurrent: recurrent.collect::<Option<_>>()?,
            head: [
                linear(net, "onnx::MatMul_915", "linear.0.bias", STATES, HEAD)?,
                linear(net, "onnx::MatMul_916", "linear.1.bias", HEAD, HEAD)?,
                linear(net, "onnx::MatMul_917", "classifier.bias", HEAD, CLASSES)?,
            ],
        })
    }

    /// Log-probabilities of every class in every frame, for the windows that begin at `starts` in a stretch of samples;
    /// each is a multiple of [`PEAK_STEP`].
    pub(super) fn run(&self, stretch: &[f32], starts: &[usize]) -> Vec<Vec<Classes>> {
        assert!(starts.iter().all(|start| start.is_multiple_of(PEAK_STEP) && start + WINDOW <= stretch.len()));
        #[expect(clippy::expect_used, reason = "`read` has asked whether it is available")]
        let unit = TileUnit::acquire().expect("a processor that multiplies in bf16");
        // SAFETY: a TileUnit is handed out only where AVX-512 with bf16 is there as well.
        unsafe { self.forward(&unit, stretch, starts) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn forward(&self, unit: &TileUnit, stretch: &[f32], starts: &[usize]) -> Vec<Vec<Classes>> {
        let filtered = self.sinc.filter(unit, stretch);
        let mut classes = Vec::with_capacity(starts.len());
        for starts in starts.chunks(SEQUENCES) {
            let mut tiles = self.features(unit, stretch, &filtered, starts);
            for lstm in &self.recurrent {
                tiles = lstm.run(unit, &tiles, WINDOW_FRAMES, starts.len());
            }
            classes.extend(self.classify(unit, &tiles, starts.len()));
        }
        classes
    }

    /// What the recurrent layers hear: a row of tiles a moment, a window a row of a tile.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn features(&self, unit: &TileUnit, stretch: &[f32], filtered: &Filtered, starts: &[usize]) -> Vec<Tile> {
        let steps = WIDTH / DEPTH;
        let mut tiles = vec![Tile::ZERO; MOMENTS * steps];
        let (mut numbers, mut frames) = (Vec::new(), vec![0; PEAKS * FILTERS]);
        for (sequence, &start) in starts.iter().enumerate() {
            self.sinc.peaks(filtered, &stretch[start..start + WINDOW], start, &mut numbers);
            let mut norm = (&self.sinc.norm, FILTERS);
            for convolution in &self.convolutions {
                let count = numbers.len() / norm.1 * norm.1;
                norm.0.apply(&numbers, |t, at, value| vector::store_bf16(&mut frames, t * norm.1 + at, value));
                convolution.convolve(unit, &frames[..count], &mut numbers);
                norm = (&convolution.norm, WIDTH);
            }
            norm.0.apply(&numbers, |t, at, value| put(&mut tiles, steps, t * SEQUENCES + sequence, at, value));
        }
        tiles
    }

    /// The linear layers and the softmax.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn classify(&self, unit: &TileUnit, tiles: &[Tile], windows: usize) -> Vec<Vec<Classes>> {
        let [first, second, last] = &self.head;
        let steps = HEAD / DEPTH;
        let mut hidden = [(); 2].map(|()| vec![Tile::ZERO; HEAD_MOMENTS * steps]);
        let [one, two] = &mut hidden;
        let mut classes = vec![vec![[0.0; CLASSES]; WINDOW_FRAMES]; windows];
        for (chunk, tiles) in tiles.chunks(HEAD_MOMENTS * first.steps()).enumerate() {
            let count = tiles.len() / first.steps() * steps;
            rectified(first, unit, tiles, one);
            rectified(second, unit, &one[..count], two);
            last.multiply(unit, &two[..count], |row, column, block| {
                for (r, line) in block.0.iter().enumerate() {
                    let (moment, window) = (chunk * HEAD_MOMENTS + (row + r) / SEQUENCES, (row + r) % SEQUENCES);
                    if let Some(classes) = classes.get_mut(window).and_then(|window| window.get_mut(moment)) {
                        let mut scores = [0.0; BLOCK];
                        vector::store(&mut scores, 0, last.finish(vector::load(line, 0), column));
                        classes.copy_from_slice(&scores[..CLASSES]);
                        log_softmax(classes);
                    }
                }
            });
        }
        classes
    }
}

/// A linear layer with the rectifier behind it, from tiles to tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn rectified(linear: &Linear, unit: &TileUnit, tiles: &[Tile], out: &mut [Tile]) {
    linear.multiply(unit, tiles, |row, column, block| {
        for (r, line) in block.0.iter().enumerate() {
            for at in HALVES {
                let value = vector::leaky_relu(linear.finish(vector::load(line, at), column + at));
                put(out, HEAD / DEPTH, row + r, column + at, value);
            }
        }
    });
}

/// A linear layer, whose weights the graph holds as `[inputs, outputs]`; its outputs are filled up to whole blocks.
fn linear(net: &Net, weights: &str, bias: &str, inputs: usize, outputs: usize) -> Option<Linear> {
    let weights = net.constant(weights, &[inputs, outputs])?;
    let mut bias = net.constant(bias, &[outputs])?;
    bias.resize(outputs.next_multiple_of(BLOCK), 0.0);
    let mut turned = vec![0.0; bias.len() * inputs];
    for (i, weight) in weights.into_iter().enumerate() {
        turned[i % outputs * inputs + i / outputs] = weight;
    }
    Some(Linear::new(&turned, inputs, vec![1.0; bias.len()], bias))
}

fn log_softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - largest).exp()).sum();
    scores.iter_mut().for_each(|score| *score -= largest + sum.ln());
}
