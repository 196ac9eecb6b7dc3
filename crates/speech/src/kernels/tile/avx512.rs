//! Tile products by AVX-512's bf16 instructions. One of them adds the products of sixteen pairs of a right tile's row with one pair of a
//! left tile, which is what the layouts of [`super`] put side by side.

use std::{arch::asm, is_x86_feature_detected};

use super::{BLOCK, EDGE, Tile};

/// Rows of a left tile whose sums with two columns are in registers together: 16 of the 32, enough for the instruction's latency.
const ROWS: usize = 8;

/// Whether the processor has AVX-512 with bf16.
pub(super) fn is_there() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

/// See [`super::TileUnit::multiply`].
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn multiply(left: [&[Tile]; 2], right: [&[Tile]; 2], out: &mut [f32], stride: usize) {
    let steps = left[0].len();
    assert!(steps > 0 && left[1].len() == steps && right[0].len() == steps && right[1].len() == steps);
    assert!(stride >= BLOCK && out.len() >= (BLOCK - 1) * stride + BLOCK);
    for row in (0..BLOCK).step_by(ROWS) {
        let out = &mut out[row * stride..];
        for r in 0..ROWS {
            out[r * stride..][..BLOCK].fill(0.0);
        }
        add(left[row / EDGE], row % EDGE, right, out, stride);
    }
}

/// See [`super::TileUnit::accumulate`].
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn accumulate(left: &[Tile], right: [&[Tile]; 4], sums: &mut [f32], stride: usize) {
    let [a, b, c, d] = right;
    for row in (0..EDGE).step_by(ROWS) {
        add(left, row, [a, b], &mut sums[row * stride..], stride);
        add(left, row, [c, d], &mut sums[row * stride + BLOCK..], stride);
    }
}

/// Adds the products of [`ROWS`] rows of `left`, from `first` on, with two columns of `right` to as many rows of 32 sums, `stride` apart.
#[target_feature(enable = "avx512f,avx512bf16")]
fn add(left: &[Tile], first: usize, right: [&[Tile]; 2], sums: &mut [f32], stride: usize) {
    let steps = left.len();
    assert!(steps > 0 && right[0].len() == steps && right[1].len() == steps && first + ROWS <= EDGE);
    assert!(stride >= BLOCK && sums.len() >= (ROWS - 1) * stride + BLOCK);
    // By `asm!`, so that it is as fast where overflows and assertions are checked.
    // SAFETY: the features are those of this function. The first eight rows of loads and the stores touch rows of 32 floats, `stride`
    // apart, which the second assertion keeps inside `sums`. Of each of `steps` tiles the loop reads 64 bytes of eight rows on the
    // left, which the first assertion keeps inside a tile, and all sixteen rows of 64 bytes on the right, which are aligned to as
    // many. The registers that are written are named.
    unsafe {
        let upper = sums.as_mut_ptr();
        let lower = upper.add(4 * stride);
        asm!(
            "vmovups zmm0, [{upper}]",
            "vmovups zmm1, [{upper} + 64]",
            "vmovups zmm2, [{upper} + {stride}]",
            "vmovups zmm3, [{upper} + {stride} + 64]",
            "vmovups zmm4, [{upper} + {stride}*2]",
            "vmovups zmm5, [{upper} + {stride}*2 + 64]",
            "vmovups zmm6, [{upper} + {stride3}]",
            "vmovups zmm7, [{upper} + {stride3} + 64]",
            "vmovups zmm8, [{lower}]",
            "vmovups zmm9, [{lower} + 64]",
            "vmovups zmm10, [{lower} + {stride}]",
            "vmovups zmm11, [{lower} + {stride} + 64]",
            "vmovups zmm12, [{lower} + {stride}*2]",
            "vmovups zmm13, [{lower} + {stride}*2 + 64]",
            "vmovups zmm14, [{lower} + {stride3}]",
            "vmovups zmm15, [{lower} + {stride3} + 64]",
            "2:",
            "mov {pairs:e}, 16",
            "3:",
            "vmovaps zmm16, [{b0}]",
            "vmovaps zmm17, [{b1}]",
            "vbroadcastss zmm18, [{a}]",
            "vbroadcastss zmm19, [{a} + 64]",
            "vdpbf16ps zmm0, zmm18, zmm16",
            "vdpbf16ps zmm1, zmm18, zmm17",
            "vbroadcastss zmm20, [{a} + 128]",
            "vdpbf16ps zmm2, zmm19, zmm16",
            "vdpbf16ps zmm3, zmm19, zmm17",
            "vbroadcastss zmm21, [{a} + 192]",
            "vdpbf16ps zmm4, zmm20, zmm16",
            "vdpbf16ps zmm5, zmm20, zmm17",
            "vbroadcastss zmm18, [{a} + 256]",
            "vdpbf16ps zmm6, zmm21, zmm16",
            "vdpbf16ps zmm7, zmm21, zmm17",
            "vbroadcastss zmm19, [{a} + 320]",
            "vdpbf16ps zmm8, zmm18, zmm16",
            "vdpbf16ps zmm9, zmm18, zmm17",
            "vbroadcastss zmm20, [{a} + 384]",
            "vdpbf16ps zmm10, zmm19, zmm16",
            "vdpbf16ps zmm11, zmm19, zmm17",
            "vbroadcastss zmm21, [{a} + 448]",
            "vdpbf16ps zmm12, zmm20, zmm16",
            "vdpbf16ps zmm13, zmm20, zmm17",
            "add {a}, 4",
            "add {b0}, 64",
            "vdpbf16ps zmm14, zmm21, zmm16",
            "vdpbf16ps zmm15, zmm21, zmm17",
            "add {b1}, 64",
            "dec {pairs:e}",
            "jnz 3b",
            "add {a}, 960",
            "dec {steps}",
            "jnz 2b",
            "vmovups [{upper}], zmm0",
            "vmovups [{upper} + 64], zmm1",
            "vmovups [{upper} + {stride}], zmm2",
            "vmovups [{upper} + {stride} + 64], zmm3",
            "vmovups [{upper} + {stride}*2], zmm4",
            "vmovups [{upper} + {stride}*2 + 64], zmm5",
            "vmovups [{upper} + {stride3}], zmm6",
            "vmovups [{upper} + {stride3} + 64], zmm7",
            "vmovups [{lower}], zmm8",
            "vmovups [{lower} + 64], zmm9",
            "vmovups [{lower} + {stride}], zmm10",
            "vmovups [{lower} + {stride} + 64], zmm11",
            "vmovups [{lower} + {stride}*2], zmm12",
            "vmovups [{lower} + {stride}*2 + 64], zmm13",
            "vmovups [{lower} + {stride3}], zmm14",
            "vmovups [{lower} + {stride3} + 64], zmm15",
            a = inout(reg) left.as_ptr().cast::<[u16; 32]>().add(first) => _,
            b0 = inout(reg) right[0].as_ptr() => _,
            b1 = inout(reg) right[1].as_ptr() => _,
            steps = inout(reg) steps => _,
            pairs = out(reg) _,
            stride = in(reg) stride * size_of::<f32>(),
            stride3 = in(reg) 3 * stride * size_of::<f32>(),
            upper = in(reg) upper,
            lower = in(reg) lower,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
            out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm12") _, out("zmm13") _,
            out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _,
            out("zmm21") _,
            options(nostack),
        );
    }
}
