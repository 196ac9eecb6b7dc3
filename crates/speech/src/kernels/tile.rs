//! Products of matrices in bf16 with f32 sums, on AMX, the tile unit of recent Xeons, or by AVX-512's bf16 instructions where there
//! is none (Zen 4 and later). A tile is 16 rows of 64 bytes; matrices are kept as arrays of whole tiles, so that every load is one
//! contiguous kilobyte.
//!
//! Invariant: a [`TileUnit`] exists only where the processor has one of the two, on the thread whose tile registers are configured; it
//! never leaves it, and there is at most one a thread.
//!
//! Layouts (Intel Architecture Instruction Set Extensions Reference, chapter 3): the left operand holds 16 rows by 32
//! columns as they are; the right operand holds 32 rows by 16 columns with rows 2r and 2r+1 interleaved in tile row r.

mod amx;
mod avx512;

use std::{cell::Cell, marker::PhantomData, sync::OnceLock};

thread_local! {
    /// Whether this thread has a [`TileUnit`].
    static TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// Rows of a tile, and columns of a right operand's tile.
pub(crate) const EDGE: usize = 16;
/// Columns of a left operand's tile: what one step of a product consumes.
pub(crate) const DEPTH: usize = 32;
/// Rows and columns of a block: the kernel makes two by two tiles at a time.
pub(crate) const BLOCK: usize = 2 * EDGE;

/// One kilobyte of bf16 numbers in either layout.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Tile(pub(crate) [u16; EDGE * DEPTH]);

impl Tile {
    pub(crate) const ZERO: Self = Self([0; EDGE * DEPTH]);
}

/// The f32 result of a kernel call, row by row.
#[repr(C, align(64))]
pub(crate) struct Block(pub(crate) [[f32; BLOCK]; BLOCK]);

impl Block {
    pub(crate) const ZERO: Self = Self([[0.0; BLOCK]; BLOCK]);
}

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Amx,
    Avx512,
}

impl Kind {
    /// The faster one of those that are there.
    fn best() -> Option<Self> {
        static BEST: OnceLock<Option<Kind>> = OnceLock::new();
        *BEST.get_or_init(|| [Self::Amx, Self::Avx512].into_iter().find(|kind| kind.is_there()))
    }

    /// Whether processor and system have it, and the AVX-512 of the vector kernels.
    fn is_there(self) -> bool {
        avx512::is_there() && (self == Self::Avx512 || amx::is_there())
    }
}

/// The right to multiply on this thread. Not `Send`: the configuration of the registers belongs to the thread.
pub(crate) struct TileUnit(Kind, PhantomData<*const ()>);

impl TileUnit {
    /// Whether the processor and the system have what it takes.
    pub(crate) fn available() -> bool {
        Kind::best().is_some()
    }

    /// Configures the registers; `None` where [`TileUnit::available`] says no, or while this thread holds a unit already.
    pub(crate) fn acquire() -> Option<Self> {
        Kind::best().and_then(Self::of)
    }

    /// A unit of a kind that is there.
    fn of(kind: Kind) -> Option<Self> {
        if TAKEN.replace(true) {
            return None;
        }
        if kind == Kind::Amx {
            // SAFETY: whoever names the kind has seen that it is there.
            unsafe { amx::configure() };
        }
        Some(Self(kind, PhantomData))
    }

    /// The product of two rows of `left` tiles with two columns of `right` tiles: 32 × 32 numbers, whose rows stand
    /// `stride` floats apart in `out`.
    #[inline]
    pub(crate) fn multiply(&self, left: [&[Tile]; 2], right: [&[Tile]; 2], out: &mut [f32], stride: usize) {
        // SAFETY: `self` proves that the processor has the kind, and that its registers are configured.
        unsafe {
            match self.0 {
                Kind::Amx => amx::multiply(left, right, out, stride),
                Kind::Avx512 => avx512::multiply(left, right, out, stride),
            }
        }
    }

    /// Adds the product of one row of `left` tiles with four columns of `right` tiles to `sums`: 16 × 64 numbers, whose
    /// rows stand `stride` floats apart. For products whose left side comes sixteen rows at a time, as a recurrent layer's.
    #[inline]
    pub(crate) fn accumulate(&self, left: &[Tile], right: [&[Tile]; 4], sums: &mut [f32], stride: usize) {
        // SAFETY: as above.
        unsafe {
            match self.0 {
                Kind::Amx => amx::accumulate(left, right, sums, stride),
                Kind::Avx512 => avx512::accumulate(left, right, sums, stride),
            }
        }
    }
}

impl Drop for TileUnit {
    fn drop(&mut self) {
        if self.0 == Kind::Amx {
            // SAFETY: `self` proves that they are configured.
            unsafe { amx::release() };
        }
        TAKEN.set(false);
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "a test that skips itself says so")]
mod tests {
    use super::*;

    fn bf16(value: f32) -> u16 {
        (value.to_bits() >> 16) as u16
    }

    /// Every kind that this machine has, one after the other.
    fn units(test: impl Fn(&TileUnit)) {
        for kind in [Kind::Amx, Kind::Avx512] {
            if kind.is_there() {
                let unit = TileUnit::of(kind).unwrap();
                assert!(TileUnit::acquire().is_none(), "one unit a thread");
                test(&unit);
            } else {
                println!("skipped: no {kind:?} here");
            }
        }
    }

    #[test]
    fn a_product_of_small_integers_is_exact() {
        units(integers_are_exact);
    }

    fn integers_are_exact(unit: &TileUnit) {
        let steps = 3;
        let a = |m: usize, k: usize| ((m * 7 + k * 3) % 11) as f32 - 5.0;
        let b = |k: usize, n: usize| ((k * 5 + n * 2) % 13) as f32 - 6.0;
        let left: Vec<Vec<Tile>> = (0..2)
            .map(|i| {
                let tile = |s| Tile(std::array::from_fn(|e| bf16(a(i * EDGE + e / DEPTH, s * DEPTH + e % DEPTH))));
                (0..steps).map(tile).collect()
            })
            .collect();
        let right: Vec<Vec<Tile>> = (0..2)
            .map(|j| {
                let element = |s, e: usize| b(s * DEPTH + 2 * (e / DEPTH) + e % 2, j * EDGE + e % DEPTH / 2);
                (0..steps).map(|s| Tile(std::array::from_fn(|e| bf16(element(s, e))))).collect()
            })
            .collect();
        let stride = BLOCK + 5;
        let mut out = vec![f32::NAN; BLOCK * stride];
        unit.multiply([&left[0], &left[1]], [&right[0], &right[1]], &mut out, stride);
        for m in 0..BLOCK {
            for n in 0..BLOCK {
                let expected: f32 = (0..steps * DEPTH).map(|k| a(m, k) * b(k, n)).sum();
                assert_eq!(out[m * stride + n], expected, "row {m}, column {n}");
            }
        }
        assert!(out[BLOCK].is_nan(), "nothing is written between rows");
    }

    #[test]
    fn a_product_is_added_to_what_is_there() {
        units(products_are_added);
    }

    fn products_are_added(unit: &TileUnit) {
        let steps = 3;
        let a = |m: usize, k: usize| ((m * 7 + k * 3) % 11) as f32 - 5.0;
        let b = |k: usize, n: usize| ((k * 5 + n * 2) % 13) as f32 - 6.0;
        let left = |s| Tile(std::array::from_fn(|e| bf16(a(e / DEPTH, s * DEPTH + e % DEPTH))));
        let left: Vec<Tile> = (0..steps).map(left).collect();
        let right: [Vec<Tile>; 4] = std::array::from_fn(|j| {
            let element = |s, e: usize| b(s * DEPTH + 2 * (e / DEPTH) + e % 2, j * EDGE + e % DEPTH / 2);
            (0..steps).map(|s| Tile(std::array::from_fn(|e| bf16(element(s, e))))).collect()
        });
        let stride = 4 * EDGE + 5;
        let mut sums: Vec<f32> = (0..EDGE * stride).map(|i| i as f32).collect();
        unit.accumulate(&left, right.each_ref().map(Vec::as_slice), &mut sums, stride);
        for (i, &sum) in sums.iter().enumerate() {
            let (m, n) = (i / stride, i % stride);
            let product: f32 = (0..steps * DEPTH).map(|k| a(m, k) * b(k, n)).sum();
            let expected = if n < 4 * EDGE { i as f32 + product } else { i as f32 };
            assert_eq!(sum, expected, "row {m}, column {n}");
        }
    }
}
