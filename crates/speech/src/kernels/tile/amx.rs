//! Tile products on AMX, by `asm!` because its intrinsics are not stable.

use std::{
    arch::{asm, x86_64::__cpuid_count},
    is_x86_feature_detected,
};

use super::{BLOCK, EDGE, Tile};

/// The 64 bytes that `ldtilecfg` reads: palette 1, then bytes a row and rows of each of eight tiles.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Whether the processor has AMX with bf16 and the system lets this process use it.
pub(super) fn is_there() -> bool {
    processor_has_it() && system_permits_it()
}

/// Configures eight full tiles.
///
/// # Safety
/// AMX [is there](is_there), and this thread's tiles are nobody else's.
pub(super) unsafe fn configure() {
    let mut row_bytes = [0; 16];
    let mut rows = [0; 16];
    row_bytes[..8].fill(64);
    rows[..8].fill(16);
    let configuration = Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows };
    // SAFETY: AMX is there; the operand is the 64 aligned bytes that the instruction reads. MKL's kernels use this thread's tiles
    // as well, but configure them at the start of a call and release them at its end, and no such call is under way here.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
}

/// Returns the registers to their initial state.
///
/// # Safety
/// They are configured.
pub(super) unsafe fn release() {
    // SAFETY: the tiles are configured.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// See [`super::TileUnit::multiply`].
///
/// # Safety
/// The tiles are configured as 16 rows of 64 bytes.
#[inline]
pub(super) unsafe fn multiply(left: [&[Tile]; 2], right: [&[Tile]; 2], out: &mut [f32], stride: usize) {
    let steps = left[0].len();
    assert!(steps > 0 && left[1].len() == steps && right[0].len() == steps && right[1].len() == steps);
    assert!(stride >= BLOCK && out.len() >= (BLOCK - 1) * stride + BLOCK);
    // SAFETY: the tiles are configured as 16 rows of 64 bytes. Each load reads one Tile (16 rows,
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

/// See [`super::TileUnit::accumulate`].
///
/// # Safety
/// The tiles are configured as 16 rows of 64 bytes.
#[inline]
pub(super) unsafe fn accumulate(left: &[Tile], right: [&[Tile]; 4], sums: &mut [f32], stride: usize) {
    let steps = left.len();
    assert!(steps > 0 && right.iter().all(|column| column.len() == steps));
    assert!(stride >= 4 * EDGE && sums.len() >= (EDGE - 1) * stride + 4 * EDGE);
    // SAFETY: the tiles are configured as 16 rows of 64 bytes. The first loads and the stores
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

/// AMX with bf16, by CPUID, with the registers' state enabled in XCR0.
fn processor_has_it() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    /// Tile configuration and tile data.
    const TILE_STATE: u64 = 0b11 << 17;
    if !is_x86_feature_detected!("avx") {
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
