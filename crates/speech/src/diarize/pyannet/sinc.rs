//! The first layer: 80 band-pass filters of 251 samples at every tenth sample (SincNet, Ravanelli and Bengio 2018), the
//! magnitude of what they let through, and its peak over three positions.
//!
//! The network normalises each window before it filters, which is x ↦ ax + b; filters are linear and make a·(their output) +
//! b·(sum of their weights) of it. So a stretch is filtered once, however many windows look at it, and each window applies
//! its own a and b to the largest and the smallest output of every three: the peak of a magnitude is at one of them.
//!
//! Invariant: windows begin on the grid of peaks, [`PEAK_STEP`] samples apart.

use std::arch::x86_64::{
    _mm512_abs_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_max_ps, _mm512_min_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_sub_ps,
};

use super::{
    super::segmentation::WINDOW,
    EPSILON, POOL,
    convolution::{InstanceNorm, pool},
};
use crate::{
    kernels::{
        linear::{HALVES, Linear, bf16},
        tile::{BLOCK, DEPTH, EDGE, Tile, TileUnit},
        vector::{self, LANES},
    },
    net::Net,
};

/// Filters.
pub(super) const FILTERS: usize = 80;
/// Samples that a filter sees.
const TAPS: usize = 251;
/// Samples between its positions.
const HOP: usize = 10;
/// Samples between peaks.
pub(super) const PEAK_STEP: usize = HOP * POOL;
/// Peaks of a window.
pub(super) const PEAKS: usize = ((WINDOW - TAPS) / HOP + 1) / POOL;
/// Products of halves that make up one filter.
const PARTS: usize = 3;
/// Tiles across a filter.
const FILTER_STEPS: usize = TAPS.div_ceil(DEPTH);
/// Positions that are filtered together: a quarter of a mebibyte of tiles, in the second-level cache.
const ROWS: usize = 2 * POOL * BLOCK;
/// Outputs filled up to whole blocks.
const OUTPUTS: usize = FILTERS.next_multiple_of(BLOCK);

/// The filters, and the normalisations before and after them.
pub(super) struct Sinc {
    wave: (f32, f32),
    /// Inputs are the upper half of the samples' bits, the lower half, and the upper again; weights to match.
    filters: Linear,
    /// The sum of every filter's weights.
    sums: Vec<f32>,
    pub(super) norm: InstanceNorm,
}

/// A stretch of a recording as the filters hear it: for every [`POOL`] positions the largest and the smallest output,
/// `[peaks, FILTERS]`.
pub(super) struct Filtered {
    largest: Vec<f32>,
    smallest: Vec<f32>,
}

impl Sinc {
    pub(super) fn read(net: &Net) -> Option<Self> {
        let weights = net.constant("/sincnet/conv1d.0/Concat_2_output_0", &[FILTERS, 1, TAPS])?;
        let mut split = vec![0.0; OUTPUTS * PARTS * FILTER_STEPS * DEPTH];
        for (from, to) in weights.chunks_exact(TAPS).zip(split.chunks_exact_mut(PARTS * FILTER_STEPS * DEPTH)) {
            for (tap, &weight) in from.iter().enumerate() {
                let upper = widened(bf16(weight));
                for (part, value) in [upper, upper, weight - upper].into_iter().enumerate() {
                    to[part * FILTER_STEPS * DEPTH + tap] = value;
                }
            }
        }
        let [gamma, beta] = ["weight", "bias"].map(|what| net.constant(&format!("sincnet.wav_norm1d.{what}"), &[1]));
        Some(Self {
            wave: (gamma?[0], beta?[0]),
            filters: Linear::new(&split, PARTS * FILTER_STEPS * DEPTH, vec![1.0; OUTPUTS], vec![0.0; OUTPUTS]),
            sums: weights.chunks_exact(TAPS).map(|filter| filter.iter().sum()).collect(),
            norm: InstanceNorm::read(net, "sincnet.norm1d.0", FILTERS)?,
        })
    }

    /// Filters a stretch. bf16 alone is not enough here: what it rounds off a loud low tone is louder than the consonants
    /// in the filters above. Of samples and weights in two halves each, three products make up all but 2⁻¹⁶ of the whole.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn filter(&self, unit: &TileUnit, stretch: &[f32]) -> Filtered {
        let peaks = ((stretch.len() - TAPS) / HOP + 1) / POOL;
        let halves = split(stretch);
        let mut tiles = vec![Tile::ZERO; ROWS / EDGE * self.filters.steps()];
        let mut outputs = vec![0.0; ROWS * OUTPUTS];
        let mut filtered = Filtered { largest: vec![0.0; peaks * FILTERS], smallest: vec![0.0; peaks * FILTERS] };
        let [largest, smallest] =
            [&mut filtered.largest, &mut filtered.smallest].map(|kept| kept.chunks_mut(ROWS / POOL * FILTERS));
        for ((largest, smallest), first) in largest.zip(smallest).zip((0..).step_by(ROWS)) {
            let rows = largest.len() / FILTERS * POOL;
            pack(&halves, first, rows, &mut tiles);
            let tiles = &tiles[..rows.next_multiple_of(BLOCK) / EDGE * self.filters.steps()];
            self.filters.multiply(unit, tiles, |row, column, block| {
                for (r, line) in block.0.iter().enumerate() {
                    for at in HALVES {
                        vector::store(&mut outputs, (row + r) * OUTPUTS + column + at, vector::load(line, at));
                    }
                }
            });
            pool(&outputs, OUTPUTS, largest, FILTERS, |a, b| _mm512_max_ps(a, b));
            pool(&outputs, OUTPUTS, smallest, FILTERS, |a, b| _mm512_min_ps(a, b));
        }
        filtered
    }

    /// The peaks of the window that begins `start` samples into a stretch, `[PEAKS, FILTERS]`.
    #[target_feature(enable = "avx512f")]
    pub(super) fn peaks(&self, filtered: &Filtered, window: &[f32], start: usize, peaks: &mut Vec<f32>) {
        let (mean, variance) = moments(window);
        let scale = self.wave.0 / (variance + EPSILON).sqrt();
        let offset = self.wave.1 - mean * scale;
        let scale = _mm512_set1_ps(scale);
        let offsets: Vec<f32> = self.sums.iter().map(|sum| sum * offset).collect();
        let first = start / PEAK_STEP * FILTERS;
        peaks.resize(PEAKS * FILTERS, 0.0);
        let each =
            filtered.largest[first..].chunks_exact(FILTERS).zip(filtered.smallest[first..].chunks_exact(FILTERS));
        for ((largest, smallest), peaks) in each.zip(peaks.chunks_exact_mut(FILTERS)) {
            for at in (0..FILTERS).step_by(LANES) {
                let offset = vector::load(&offsets, at);
                let a = _mm512_abs_ps(_mm512_fmadd_ps(vector::load(largest, at), scale, offset));
                let b = _mm512_abs_ps(_mm512_fmadd_ps(vector::load(smallest, at), scale, offset));
                vector::store(peaks, at, _mm512_max_ps(a, b));
            }
        }
    }
}

/// Samples as two bf16 numbers each, whose sum is the sample; a little longer, because the last filter's tiles reach beyond
/// its samples. The weights there are zero.
fn split(samples: &[f32]) -> [Vec<u16>; 2] {
    let mut halves = [0; 2].map(|zero| vec![zero; samples.len() + DEPTH]);
    let [upper, lower] = &mut halves;
    for (&sample, (upper, lower)) in samples.iter().zip(upper.iter_mut().zip(lower)) {
        *upper = bf16(sample);
        *lower = bf16(sample - widened(*upper));
    }
    halves
}

/// What the filters see at `rows` positions from the `first` on.
fn pack([upper, lower]: &[Vec<u16>; 2], first: usize, rows: usize, tiles: &mut [Tile]) {
    for row in 0..rows {
        let of_row = &mut tiles[row / EDGE * PARTS * FILTER_STEPS..][..PARTS * FILTER_STEPS];
        for (half, tiles) in [upper, lower, upper].into_iter().zip(of_row.chunks_exact_mut(FILTER_STEPS)) {
            let samples = &half[(first + row) * HOP..][..FILTER_STEPS * DEPTH];
            for (samples, tile) in samples.chunks_exact(DEPTH).zip(tiles) {
                tile.0[row % EDGE * DEPTH..][..DEPTH].copy_from_slice(samples);
            }
        }
    }
}

/// Mean and variance of samples, whose number is a multiple of 16.
#[target_feature(enable = "avx512f")]
fn moments(samples: &[f32]) -> (f32, f32) {
    let count = samples.len() as f32;
    let mut sum = _mm512_setzero_ps();
    for at in (0..samples.len()).step_by(LANES) {
        sum = _mm512_add_ps(sum, vector::load(samples, at));
    }
    let mean = _mm512_reduce_add_ps(sum) / count;
    let mut squares = _mm512_setzero_ps();
    for at in (0..samples.len()).step_by(LANES) {
        let centred = _mm512_sub_ps(vector::load(samples, at), _mm512_set1_ps(mean));
        squares = _mm512_fmadd_ps(centred, centred, squares);
    }
    (mean, _mm512_reduce_add_ps(squares) / count)
}

/// A bf16 number as f32.
fn widened(value: u16) -> f32 {
    f32::from_bits(u32::from(value) << 16)
}
