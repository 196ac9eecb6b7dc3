//! Row operations of the encoder on AVX-512: layer normalisation, GELU, softmax and rounding to bf16. Every function takes
//! rows whose length is a multiple of 16 numbers and needs the features that [`super::tile::TileUnit::acquire`] checks.

use std::arch::x86_64::{
    __m512, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_storeu_si256, _mm512_abs_ps, _mm512_add_ps,
    _mm512_cvtneps_pbh, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_rcp14_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_scalef_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

/// Numbers in a register.
pub(super) const LANES: usize = 16;

/// Two to the power of `x`: the integer part goes into the exponent, the fraction (at most a half) through a Taylor
/// polynomial of degree 5, relative error below 3e-6.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp2(x: __m512) -> __m512 {
    let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let f = _mm512_sub_ps(x, whole);
    let mut p = _mm512_set1_ps(1.333_355_8e-3);
    for c in [9.618_129e-3, 5.550_411e-2, 2.402_265e-1, std::f32::consts::LN_2, 1.0] {
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(c));
    }
    _mm512_scalef_ps(p, whole)
}

/// x·Φ(x) with the error function of Abramowitz and Stegun 7.1.26 (error 1.5e-7, and 2e-5 by the fast reciprocal: both
/// below the 4e-3 of bf16).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn gelu(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(std::f32::consts::FRAC_1_SQRT_2));
    let t = _mm512_rcp14_ps(_mm512_fmadd_ps(z, _mm512_set1_ps(0.327_591_1), one));
    let mut p = _mm512_set1_ps(1.061_405_4);
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(c));
    }
    let decay = exp2(_mm512_mul_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(-std::f32::consts::LOG2_E)));
    // 1 - erf(z), for which x·Φ(x) = max(x, 0) - |x|/2·(1 - erf z).
    let complement = _mm512_mul_ps(_mm512_mul_ps(p, t), decay);
    let half = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.5));
    _mm512_fnmadd_ps(half, complement, _mm512_max_ps(x, _mm512_setzero_ps()))
}

/// Sixteen numbers of a row from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(row: &[f32], at: usize) -> __m512 {
    let part = &row[at..at + LANES];
    // SAFETY: `part` is sixteen floats long; the load needs no alignment.
    unsafe { _mm512_loadu_ps(part.as_ptr()) }
}

/// Writes sixteen numbers into a row from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(row: &mut [f32], at: usize, value: __m512) {
    let part = &mut row[at..at + LANES];
    // SAFETY: `part` is sixteen floats long; the store needs no alignment.
    unsafe { _mm512_storeu_ps(part.as_mut_ptr(), value) }
}

/// Writes sixteen numbers into a row of bf16 from `at` on, rounded to the nearest.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn store_bf16(row: &mut [u16], at: usize, value: __m512) {
    let part = &mut row[at..at + LANES];
    // SAFETY: both types are 32 plain bytes.
    let rounded = unsafe { std::mem::transmute::<_, std::arch::x86_64::__m256i>(_mm512_cvtneps_pbh(value)) };
    // SAFETY: `part` is sixteen 16-bit numbers long; the store needs no alignment.
    unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast(), rounded) }
}

/// Layer normalisation of a row (Ba et al. 2016; ε 1e-5), handed out sixteen numbers at a time.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn normalise(row: &[f32], gamma: &[f32], beta: &[f32], mut out: impl FnMut(usize, __m512)) {
    const EPSILON: f32 = 1e-5;
    let count = row.len() as f32;
    let mut sum = _mm512_setzero_ps();
    for at in (0..row.len()).step_by(LANES) {
        sum = _mm512_add_ps(sum, load(row, at));
    }
    let mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / count);
    let mut squares = _mm512_setzero_ps();
    for at in (0..row.len()).step_by(LANES) {
        let centred = _mm512_sub_ps(load(row, at), mean);
        squares = _mm512_fmadd_ps(centred, centred, squares);
    }
    let scale = _mm512_set1_ps(1.0 / (_mm512_reduce_add_ps(squares) / count + EPSILON).sqrt());
    for at in (0..row.len()).step_by(LANES) {
        let scaled = _mm512_mul_ps(_mm512_sub_ps(load(row, at), mean), scale);
        out(at, _mm512_fmadd_ps(scaled, load(gamma, at), load(beta, at)));
    }
}

/// The exponentials of a row of scores relative to its largest, handed out sixteen at a time; gives back their sum.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn exponentials(row: &[f32], mut out: impl FnMut(usize, __m512)) -> f32 {
    let mut largest = _mm512_set1_ps(f32::NEG_INFINITY);
    for at in (0..row.len()).step_by(LANES) {
        largest = _mm512_max_ps(largest, load(row, at));
    }
    let log2_e = _mm512_set1_ps(std::f32::consts::LOG2_E);
    let offset = _mm512_set1_ps(-_mm512_reduce_max_ps(largest) * std::f32::consts::LOG2_E);
    let mut sum = _mm512_setzero_ps();
    for at in (0..row.len()).step_by(LANES) {
        let value = exp2(_mm512_fmadd_ps(load(row, at), log2_e, offset));
        sum = _mm512_add_ps(sum, value);
        out(at, value);
    }
    _mm512_reduce_add_ps(sum)
}
