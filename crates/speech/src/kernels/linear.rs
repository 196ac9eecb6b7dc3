//! Linear layers whose weights lie in memory as tiles, and rows of bf16 as the tiles they are multiplied with.
//!
//! Integer weights stay integers, which bf16 holds exactly up to 256; their scale is applied to the f32 result.

use std::arch::x86_64::{__m512, _mm512_fmadd_ps};

use super::{
    tile::{BLOCK, Block, DEPTH, EDGE, Tile, TileUnit},
    vector::{self, LANES},
};

/// Rows of tiles that meet all columns before the next ones do: half a mebibyte of them, which stays in the second-level
/// cache (2 MiB where there is AMX, 1 MiB on Zen 4) while the weights stream by.
const ROWS_BYTES: usize = 512 << 10;

/// The weights of y = x·Wᵀ·scale + bias, for one thread or many.
pub(crate) struct Linear {
    tiles: Vec<Tile>,
    /// Tiles along the inputs.
    steps: usize,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// Packs weights `[outputs, inputs]`; outputs have to be a multiple of 32, inputs are filled up with zeros.
    pub(crate) fn new(weights: &[f32], inputs: usize, scale: Vec<f32>, bias: Vec<f32>) -> Self {
        let outputs = bias.len();
        assert!(outputs.is_multiple_of(BLOCK) && weights.len() == outputs * inputs && scale.len() == outputs);
        let steps = inputs.div_ceil(DEPTH);
        let mut tiles = vec![Tile::ZERO; outputs / EDGE * steps];
        for (output, row) in weights.chunks_exact(inputs).enumerate() {
            for (input, &weight) in row.iter().enumerate() {
                let tile = &mut tiles[output / EDGE * steps + input / DEPTH];
                tile.0[input % DEPTH / 2 * DEPTH + output % EDGE * 2 + input % 2] = bf16(weight);
            }
        }
        Self { tiles, steps, scale, bias }
    }

    /// Tiles along the inputs: how many a row of tiles on the left has to have.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// Multiplies rows of tiles (their number is even) with the weights and hands the product out block by block, with
    /// the first row and column of each; [`Linear::finish`] makes outputs of its numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(crate) fn multiply(&self, unit: &TileUnit, left: &[Tile], mut out: impl FnMut(usize, usize, &Block)) {
        // What tiles store can be loaded only once it has reached the cache, so a block is handed out while the next one
        // is being multiplied.
        let [a, b] = &mut [Block::ZERO, Block::ZERO];
        let (mut block, mut next) = (a, b);
        let mut ready = None;
        let pair = 2 * self.steps;
        let pairs = (ROWS_BYTES / size_of::<Tile>() / pair).max(1);
        for (rows, first) in left.chunks(pairs * pair).zip((0..).step_by(pairs)) {
            for (j, right) in self.tiles.chunks_exact(pair).enumerate() {
                let right = right.split_at(self.steps);
                for (i, rows) in rows.chunks_exact(pair).enumerate() {
                    let rows = rows.split_at(self.steps);
                    unit.multiply([rows.0, rows.1], [right.0, right.1], next.0.as_flattened_mut(), BLOCK);
                    if let Some((row, column)) = ready.replace(((first + i) * BLOCK, j * BLOCK)) {
                        out(row, column, block);
                    }
                    std::mem::swap(&mut block, &mut next);
                }
            }
        }
        if let Some((row, column)) = ready {
            out(row, column, block);
        }
    }

    /// Adds the product of one row of tiles, which is sixteen vectors, with the weights to `sums` `[16, outputs]`; scale
    /// and bias are left out. Outputs have to be a multiple of 64.
    #[inline]
    pub(crate) fn accumulate(&self, unit: &TileUnit, left: &[Tile], sums: &mut [f32]) {
        let outputs = self.bias.len();
        for (i, columns) in self.tiles.chunks_exact(4 * self.steps).enumerate() {
            let column = |j: usize| &columns[j * self.steps..][..self.steps];
            let right = [column(0), column(1), column(2), column(3)];
            unit.accumulate(left, right, &mut sums[i * 4 * EDGE..], outputs);
        }
    }

    /// Scale and bias of sixteen outputs from `column` on.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn finish(&self, product: __m512, column: usize) -> __m512 {
        _mm512_fmadd_ps(product, vector::load(&self.scale, column), vector::load(&self.bias, column))
    }
}

/// The weights of a convolution, `[outputs, inputs, taps]`, as those of a linear layer over as many neighbouring frames
/// of `width` numbers, of which the first are the inputs: `[outputs, taps, width]`.
pub(crate) fn by_tap(weights: &[f32], inputs: usize, taps: usize, width: usize) -> Vec<f32> {
    let mut turned = vec![0.0; weights.len() / inputs * width];
    for (from, to) in weights.chunks_exact(inputs * taps).zip(turned.chunks_exact_mut(taps * width)) {
        for (i, &weight) in from.iter().enumerate() {
            to[i % taps * width + i / taps] = weight;
        }
    }
    turned
}

/// Copies rows of bf16 (as long as `steps` tiles are wide, or shorter) into tiles, the rest of which stay as they are.
pub(crate) fn pack_rows<'a>(rows: impl Iterator<Item = &'a [u16]>, steps: usize, tiles: &mut [Tile]) {
    for (i, row) in rows.enumerate() {
        for (step, part) in row.chunks(DEPTH).enumerate() {
            let at = i % EDGE * DEPTH;
            tiles[i / EDGE * steps + step].0[at..at + part.len()].copy_from_slice(part);
        }
    }
}

/// Writes sixteen numbers of row `row` from `column` on into tiles that are `steps` wide.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn put(tiles: &mut [Tile], steps: usize, row: usize, column: usize, value: __m512) {
    let tile = &mut tiles[row / EDGE * steps + column / DEPTH];
    vector::store_bf16(&mut tile.0, row % EDGE * DEPTH + column % DEPTH, value);
}

/// The columns of a block, sixteen at a time.
pub(crate) const HALVES: [usize; 2] = [0, LANES];

/// Rounded to the nearest bf16, ties to even; what is not a number stays none.
pub(crate) fn bf16(value: f32) -> u16 {
    if value.is_nan() {
        return 0x7fc0;
    }
    let bits = value.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}
