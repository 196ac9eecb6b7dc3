//! The convolutions after the first: five frames wide, the largest of every three outputs kept; and the normalisation that
//! follows each. Frames lie one after the other, channels side by side.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_sqrt_ps, _mm512_sub_ps,
};

use super::{EPSILON, POOL};
use crate::{
    kernels::{
        linear::{HALVES, Linear, by_tap, pack_rows},
        tile::{BLOCK, EDGE, Tile, TileUnit},
        vector::{self, LANES},
    },
    net::Net,
};

/// Frames that a convolution sees.
pub(super) const TAPS: usize = 5;
/// Channels of what it makes.
pub(super) const CHANNELS: usize = 60;
/// The same filled up to whole blocks: how far its frames are apart. The channels that are no channels are zero.
pub(super) const WIDTH: usize = CHANNELS.next_multiple_of(BLOCK);
/// Frames that are convolved together: 312 KiB of tiles, in the second-level cache.
const ROWS: usize = 4 * POOL * BLOCK;

/// A convolution with its pooling, and the normalisation of what comes out.
pub(super) struct Convolution {
    linear: Linear,
    /// How far its inputs' frames are apart.
    width: usize,
    pub(super) norm: InstanceNorm,
}

impl Convolution {
    /// Reads convolution `index` over frames of `inputs` channels that are `width` apart.
    pub(super) fn read(net: &Net, index: usize, inputs: usize, width: usize) -> Option<Self> {
        let weights = net.constant(&format!("sincnet.conv1d.{index}.weight"), &[CHANNELS, inputs, TAPS])?;
        let mut weights = by_tap(&weights, inputs, TAPS, width);
        weights.resize(WIDTH * TAPS * width, 0.0);
        let mut bias = net.constant(&format!("sincnet.conv1d.{index}.bias"), &[CHANNELS])?;
        bias.resize(WIDTH, 0.0);
        Some(Self {
            linear: Linear::new(&weights, TAPS * width, vec![1.0; WIDTH], bias),
            width,
            norm: InstanceNorm::read(net, &format!("sincnet.norm1d.{index}"), CHANNELS)?,
        })
    }

    /// Convolves and pools bf16 frames into f32 ones.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn convolve(&self, unit: &TileUnit, frames: &[u16], pooled: &mut Vec<f32>) {
        let steps = self.linear.steps();
        let mut tiles = vec![Tile::ZERO; ROWS / EDGE * steps];
        let mut outputs = vec![0.0; ROWS * WIDTH];
        let mut taps = frames.windows(TAPS * self.width).step_by(self.width);
        pooled.resize(taps.len() / POOL * WIDTH, 0.0);
        for pooled in pooled.chunks_mut(ROWS / POOL * WIDTH) {
            let rows = pooled.len() / WIDTH * POOL;
            pack_rows(taps.by_ref().take(rows), steps, &mut tiles);
            self.linear.multiply(unit, &tiles[..rows.next_multiple_of(BLOCK) / EDGE * steps], |row, column, block| {
                for (r, line) in block.0.iter().enumerate() {
                    for at in HALVES {
                        let value = self.linear.finish(vector::load(line, at), column + at);
                        vector::store(&mut outputs, (row + r) * WIDTH + column + at, value);
                    }
                }
            });
            pool(&outputs, WIDTH, pooled, WIDTH, |a, b| _mm512_max_ps(a, b));
        }
    }
}

/// Makes one row of every [`POOL`] rows of a width; of the first `to_width` numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn pool(
    from: &[f32],
    width: usize,
    to: &mut [f32],
    to_width: usize,
    keep: impl Fn(__m512, __m512) -> __m512,
) {
    for (rows, row) in from.chunks_exact(POOL * width).zip(to.chunks_exact_mut(to_width)) {
        for at in (0..to_width).step_by(LANES) {
            let both = keep(vector::load(rows, at), vector::load(rows, width + at));
            vector::store(row, at, keep(both, vector::load(rows, 2 * width + at)));
        }
    }
}

/// Normalises every channel over all frames (Ulyanov et al. 2016), and rectifies it.
pub(super) struct InstanceNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl InstanceNorm {
    pub(super) fn read(net: &Net, name: &str, channels: usize) -> Option<Self> {
        let read = |what| {
            let mut numbers = net.constant(&format!("{name}.{what}"), &[channels])?;
            numbers.resize(channels.next_multiple_of(LANES), 0.0);
            Some(numbers)
        };
        Some(Self { gamma: read("weight")?, beta: read("bias")? })
    }

    /// Hands out sixteen channels of a frame at a time, with the indices of the frame and the first of the channels.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn apply(&self, frames: &[f32], mut out: impl FnMut(usize, usize, __m512)) {
        let width = self.gamma.len();
        let each = _mm512_set1_ps(1.0 / (frames.len() / width) as f32);
        for at in (0..width).step_by(LANES) {
            let mut sum = _mm512_setzero_ps();
            for frame in frames.chunks_exact(width) {
                sum = _mm512_add_ps(sum, vector::load(frame, at));
            }
            let mean = _mm512_mul_ps(sum, each);
            let mut squares = _mm512_setzero_ps();
            for frame in frames.chunks_exact(width) {
                let centred = _mm512_sub_ps(vector::load(frame, at), mean);
                squares = _mm512_fmadd_ps(centred, centred, squares);
            }
            let deviation = _mm512_sqrt_ps(_mm512_fmadd_ps(squares, each, _mm512_set1_ps(EPSILON)));
            let scale = _mm512_div_ps(vector::load(&self.gamma, at), deviation);
            let beta = vector::load(&self.beta, at);
            for (t, frame) in frames.chunks_exact(width).enumerate() {
                let centred = _mm512_sub_ps(vector::load(frame, at), mean);
                out(t, at, vector::leaky_relu(_mm512_fmadd_ps(centred, scale, beta)));
            }
        }
    }
}
