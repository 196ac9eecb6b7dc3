//! Matrix products on AMX, the tile unit of recent Xeons: bf16 in, f32 out. A tile is 16 rows of 64 bytes; matrices are
//! kept as arrays of whole tiles, so that every load is one contiguous kilobyte.
//!
//! Invariant: a [`TileUnit`] exists only on a thread whose tile registers are configured, it never leaves it, and there is
//! at most one a thread.
//!
//! Layouts (Intel Architecture Instruction Set Extensions Reference, chapter 3): the left operand holds 16 rows by 32
//! columns as they are; the right operand holds 32 rows by 16 columns with rows 2r and 2r+1 interleaved in tile row r.

use std::{arch::asm, arch::x86_64::__cpuid_count, cell::Cell, marker::PhantomData, sync::OnceLock};

thread_local! {
    /// Whether this thread's tile registers belong to a [`TileUnit`].
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

/// The right to use this thread's tile registers. Not `Send`: the configuration belongs to the thread.
pub(crate) struct TileUnit(PhantomData<*const ()>);

/// The 64 bytes that `ldtilecfg` reads: palette 1, then bytes a row and rows of each of eight tiles.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl TileUnit {
    /// Whether the processor and the system have AMX with bf16.
    pub(crate) fn available() -> bool {
        static USABLE: OnceLock<bool> = OnceLock::new();
        *USABLE.get_or_init(|| processor_has_it() && system_permits_it())
    }

    /// Configures eight full tiles; `None` where there is no AMX with bf16, or while this thread holds a unit already.
    pub(crate) fn acquire() -> Option<Self> {
        if !Self::available() || TAKEN.replace(true) {
            return None;
        }
        let mut row_bytes = [0; 16];
        let mut rows = [0; 16];
        row_bytes[..8].fill(64);
        rows[..8].fill(16);
        let configuration = Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows };
        // SAFETY: the processor has AMX and the system lets this process use it, as checked above; the operand is the
        // 64 aligned bytes that the instruction reads. Tiles are this thread's own: MKL's kernels use them as well, but
        // configure them at the start of a call and release them at its end, and no such call is under way here.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
        Some(Self(PhantomData))
    }

    /// The product of two rows of `left` tiles with two columns of `right` tiles: 32 × 32 numbers, whose rows stand
    /// `stride` floats apart in `out`.
    #[inline]
    pub(crate) fn multiply(&self, left: [&[Tile]; 2], right: [&[Tile]; 2], out: &mut [f32], stride: usize) {
        let steps = left[0].len();
        assert!(steps > 0 && left[1].len() == steps && right[0].len() == steps && right[1].len() == steps);
        assert!(stride >= BLOCK && out.len() >= (BLOCK - 1) * stride + BLOCK);
        // SAFETY: `self` proves that the tiles are configured as 16 rows of 64 bytes. Each load reads one Tile (16 rows,
        // 64 bytes apart) of slices that hold `steps` of them; the stores write rows 0–31 of 32 floats, `stride` apart,
        // which the second assertion keeps inside `out`. The tile registers are named as clobbered.
        unsafe {
            let upper = out.as_mut_ptr();
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a0} + {row}*1]",
                "tileloadd tmm6, [{b0} + {row}*1]",
                "tileloadd tmm7, [{b1} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{a1} + {row}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "add {a0}, 1024",
                "add {a1}, 1024",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "add {b0}, 1024",
                "add {b1}, 1024",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{upper} + {stride}*1], tmm0",
                "tilestored [{upper} + {stride}*1 + 64], tmm1",
                "tilestored [{lower} + {stride}*1], tmm2",
                "tilestored [{lower} + {stride}*1 + 64], tmm3",
                a0 = inout(reg) left[0].as_ptr() => _,
                a1 = inout(reg) left[1].as_ptr() => _,
                b0 = inout(reg) right[0].as_ptr() => _,
                b1 = inout(reg) right[1].as_ptr() => _,
                steps = inout(reg) steps => _,
                row = in(reg) 64usize,
                stride = in(reg) stride * size_of::<f32>(),
                upper = in(reg) upper,
                lower = in(reg) upper.add(EDGE * stride),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    /// Adds the product of one row of `left` tiles with four columns of `right` tiles to `sums`: 16 × 64 numbers, whose
    /// rows stand `stride` floats apart. For products whose left side comes sixteen rows at a time, as a recurrent layer's.
    #[inline]
    pub(crate) fn accumulate(&self, left: &[Tile], right: [&[Tile]; 4], sums: &mut [f32], stride: usize) {
        let steps = left.len();
        assert!(steps > 0 && right.iter().all(|column| column.len() == steps));
        assert!(stride >= 4 * EDGE && sums.len() >= (EDGE - 1) * stride + 4 * EDGE);
        // SAFETY: `self` proves that the tiles are configured as 16 rows of 64 bytes. The first loads and the stores
        // touch 16 rows of 64 floats, `stride` apart, which the second assertion keeps inside `sums`; each load in the
        // loop reads one Tile of slices that hold `steps` of them. The tile registers are named as clobbered.
        unsafe {
            asm!(
                "tileloadd tmm0, [{sums} + {stride}*1]",
                "tileloadd tmm1, [{sums} + {stride}*1 + 64]",
                "tileloadd tmm2, [{sums} + {stride}*1 + 128]",
                "tileloadd tmm3, [{sums} + {stride}*1 + 192]",
                "2:",
                "tileloadd tmm4, [{left} + {row}*1]",
                "tileloadd tmm5, [{b0} + {row}*1]",
                "tileloadd tmm6, [{b1} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm5",
                "tileloadd tmm7, [{b2} + {row}*1]",
                "add {left}, 1024",
                "add {b0}, 1024",
                "tdpbf16ps tmm1, tmm4, tmm6",
                "tileloadd tmm5, [{b3} + {row}*1]",
                "add {b1}, 1024",
                "add {b2}, 1024",
                "tdpbf16ps tmm2, tmm4, tmm7",
                "add {b3}, 1024",
                "tdpbf16ps tmm3, tmm4, tmm5",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {stride}*1], tmm0",
                "tilestored [{sums} + {stride}*1 + 64], tmm1",
                "tilestored [{sums} + {stride}*1 + 128], tmm2",
                "tilestored [{sums} + {stride}*1 + 192], tmm3",
                left = inout(reg) left.as_ptr() => _,
                b0 = inout(reg) right[0].as_ptr() => _,
                b1 = inout(reg) right[1].as_ptr() => _,
                b2 = inout(reg) right[2].as_ptr() => _,
                b3 = inout(reg) right[3].as_ptr() => _,
                steps = inout(reg) steps => _,
                row = in(reg) 64usize,
                stride = in(reg) stride * size_of::<f32>(),
                sums = in(reg) sums.as_mut_ptr(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for TileUnit {
    fn drop(&mut self) {
        // SAFETY: the tiles are configured; releasing them returns the registers to their initial state.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
        TAKEN.set(false);
    }
}

/// AMX with bf16 and the AVX-512 that the vector kernels use, by CPUID, with the registers' state enabled in XCR0.
fn processor_has_it() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    /// Tile configuration and tile data.
    const TILE_STATE: u64 = 0b11 << 17;
    if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")) {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    let (low, high): (u32, u32);
    // SAFETY: AVX is present, so XGETBV is enabled; it reads XCR0 and touches nothing else.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nostack, nomem)) };
    let enabled = u64::from(high) << 32 | u64::from(low);
    features & AMX_BF16 != 0 && features & AMX_TILE != 0 && enabled & TILE_STATE == TILE_STATE
}

/// Linux hands the 8 KiB of tile data only to processes that ask (`arch_prctl(2)`; since Linux 5.16).
fn system_permits_it() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: this request takes a number and returns a status; it changes only what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "a test that skips itself says so")]
mod tests {
    use super::*;

    fn bf16(value: f32) -> u16 {
        (value.to_bits() >> 16) as u16
    }

    #[test]
    fn a_product_of_small_integers_is_exact() {
        let Some(unit) = TileUnit::acquire() else {
            println!("skipped: no AMX here");
            return;
        };
        assert!(TileUnit::acquire().is_none(), "one unit a thread");
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
        let Some(unit) = TileUnit::acquire() else {
            println!("skipped: no AMX here");
            return;
        };
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
