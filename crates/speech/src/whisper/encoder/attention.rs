//! Self-attention over the 1,500 positions of a window (Vaswani et al. 2017), one head and 32 queries at a time: their
//! scores, 192 KB, stay in the second-level cache.

use std::arch::x86_64::{__m512, _mm512_mul_ps, _mm512_set1_ps};

use super::{super::mel::POSITIONS, ROWS};
use crate::kernels::{
    linear::{HALVES, put},
    tile::{BLOCK, Block, DEPTH, EDGE, Tile, TileUnit},
    vector,
};

/// Numbers in a query, a key or a value of one head: the same in every Whisper model.
pub(super) const HEAD: usize = 64;
/// Tiles across a head.
const HEAD_STEPS: usize = HEAD / DEPTH;
/// Tiles along the positions, sixteen or thirty-two a tile.
const ROW_TILES: usize = ROWS / EDGE;
const ROW_STEPS: usize = ROWS / DEPTH;
/// A score that no exponential survives, for the positions that only fill the last tile.
const NEVER: f32 = -1e30;

/// Queries, keys and values of all heads, laid out for the products they go into.
pub(super) struct Attention {
    queries: Vec<Tile>,
    keys: Vec<Tile>,
    values: Vec<Tile>,
    scores: Vec<f32>,
    weights: Vec<Tile>,
}

impl Attention {
    pub(super) fn new(heads: usize) -> Self {
        let tiles = vec![Tile::ZERO; heads * ROW_TILES * HEAD_STEPS];
        Self {
            queries: tiles.clone(),
            keys: tiles.clone(),
            values: tiles,
            scores: vec![0.0; BLOCK * ROWS],
            weights: vec![Tile::ZERO; 2 * ROW_STEPS],
        }
    }

    /// Takes a finished block of queries; `head` and `half` say which numbers they are.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn put_queries(&mut self, row: usize, head: usize, half: usize, block: &Block) {
        // 1/√64, a power of two, costs no precision.
        let scale = _mm512_set1_ps(0.125);
        let tiles = &mut self.queries[head * ROW_TILES * HEAD_STEPS..];
        for (r, line) in block.0.iter().enumerate() {
            for at in HALVES {
                let value = _mm512_mul_ps(vector::load(line, at), scale);
                put(tiles, HEAD_STEPS, row + r, half * DEPTH + at, value);
            }
        }
    }

    /// Takes a finished block of keys: columns of a right operand, pairs of numbers side by side.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn put_keys(&mut self, row: usize, head: usize, half: usize, block: &Block) {
        let rounded = round(block);
        for (r, line) in rounded.iter().enumerate() {
            let tile = &mut self.keys[(head * ROW_TILES + (row + r) / EDGE) * HEAD_STEPS + half];
            for (pair, to) in line.as_chunks::<2>().0.iter().zip(tile.0.chunks_exact_mut(DEPTH)) {
                to[r % EDGE * 2..][..2].copy_from_slice(pair);
            }
        }
    }

    /// Takes a finished block of values: rows of a right operand, two positions interleaved.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn put_values(&mut self, row: usize, head: usize, half: usize, block: &Block) {
        let rounded = round(block);
        for (side, at) in HALVES.into_iter().enumerate() {
            let tile = &mut self.values[(head * HEAD / EDGE + half * 2 + side) * ROW_STEPS + row / DEPTH];
            for (pair, to) in rounded.as_chunks::<2>().0.iter().zip(tile.0.chunks_exact_mut(DEPTH)) {
                let both = pair[0][at..at + EDGE].iter().zip(&pair[1][at..at + EDGE]);
                for ((even, odd), to) in both.zip(to.as_chunks_mut::<2>().0) {
                    *to = [*even, *odd];
                }
            }
        }
    }

    /// Attends with every head; `out` gets rows of tiles, `steps` wide, heads side by side.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn attend(&mut self, unit: &TileUnit, out: &mut [Tile], steps: usize) {
        let heads = self.queries.len() / (ROW_TILES * HEAD_STEPS);
        for head in 0..heads {
            for row in (0..ROWS).step_by(BLOCK) {
                self.score(unit, head, row);
                let sums = self.weigh();
                self.mix(unit, head, |r, column, value| {
                    let value = _mm512_mul_ps(value, _mm512_set1_ps(1.0 / sums[r]));
                    put(out, steps, row + r, head * HEAD + column, value);
                });
            }
        }
    }

    /// The scores of 32 queries against every key.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn score(&mut self, unit: &TileUnit, head: usize, row: usize) {
        let of_head = head * ROW_TILES * HEAD_STEPS..(head + 1) * ROW_TILES * HEAD_STEPS;
        let queries = self.queries[of_head.clone()][row / EDGE * HEAD_STEPS..][..2 * HEAD_STEPS].split_at(HEAD_STEPS);
        for (j, keys) in self.keys[of_head].chunks_exact(2 * HEAD_STEPS).enumerate() {
            let keys = keys.split_at(HEAD_STEPS);
            let out = &mut self.scores[j * BLOCK..];
            unit.multiply([queries.0, queries.1], [keys.0, keys.1], out, ROWS);
        }
    }

    /// Turns scores into weights that still have to be divided by the sums given back.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn weigh(&mut self) -> [f32; BLOCK] {
        let mut sums = [1.0; BLOCK];
        for ((r, sum), scores) in sums.iter_mut().enumerate().zip(self.scores.chunks_exact_mut(ROWS)) {
            scores[POSITIONS..].fill(NEVER);
            *sum = vector::exponentials(scores, |at, value| put(&mut self.weights, ROW_STEPS, r, at, value));
        }
        sums
    }

    /// The values of a head under the weights.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn mix(&self, unit: &TileUnit, head: usize, mut out: impl FnMut(usize, usize, __m512)) {
        let weights = self.weights.split_at(ROW_STEPS);
        let values = &self.values[head * HEAD / EDGE * ROW_STEPS..][..HEAD / EDGE * ROW_STEPS];
        let mut blocks = [Block::ZERO; HEAD / BLOCK];
        for (block, values) in blocks.iter_mut().zip(values.chunks_exact(2 * ROW_STEPS)) {
            let values = values.split_at(ROW_STEPS);
            unit.multiply([weights.0, weights.1], [values.0, values.1], block.0.as_flattened_mut(), BLOCK);
        }
        for (half, block) in blocks.iter().enumerate() {
            for (r, line) in block.0.iter().enumerate() {
                for at in HALVES {
                    out(r, half * BLOCK + at, vector::load(line, at));
                }
            }
        }
    }
}

/// A block as bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn round(block: &Block) -> [[u16; BLOCK]; BLOCK] {
    let mut rounded = [[0; BLOCK]; BLOCK];
    for (line, to) in block.0.iter().zip(&mut rounded) {
        for at in HALVES {
            vector::store_bf16(to, at, vector::load(line, at));
        }
    }
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_only_fill_the_last_tile_get_no_attention() {
        let Some(unit) = TileUnit::acquire() else { return };
        let mut attention = Attention::new(1);
        let mut out = vec![Tile::ZERO; ROW_TILES * HEAD_STEPS];
        // Queries and keys are zero, so every position weighs the same.
        for row in (0..ROWS).step_by(BLOCK) {
            let value = |r| if row + r < POSITIONS { 1.0 } else { 1_000.0 };
            let block = Block(std::array::from_fn(|r| [value(r); BLOCK]));
            // SAFETY: a TileUnit is handed out only where AVX-512 with bf16 is there as well.
            unsafe {
                attention.put_values(row, 0, 0, &block);
                attention.put_values(row, 0, 1, &block);
            }
        }
        // SAFETY: as above.
        unsafe { attention.attend(&unit, &mut out, HEAD_STEPS) };
        let one = 0x3f80;
        assert!(out.iter().flat_map(|tile| tile.0).all(|value| u16::abs_diff(value, one) <= 1));
    }
}
