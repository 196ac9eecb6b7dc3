//! What networks do between products, on AVX-512: normalisation, activations, softmax and rounding to bf16. Rows are a
//! multiple of 16 numbers long; every function needs the features that [`super::tile::TileUnit::acquire`] checks.

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_storeu_si256, _mm512_add_ps,
    _mm512_cvtneps_pbh, _mm512_fmadd_ps, _mm512_fmsub_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_rcp14_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps,
    _mm512_scalef_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

/// Numbers in a register.
pub(crate) const LANES: usize = 16;

/// Two to the power of `x`: the integer part goes into the exponent, the fraction (at most a half) through a minimax
/// polynomial with a relative error of 7.5e-5, a fiftieth of what rounding to bf16 costs afterwards.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp2(x: __m512) -> __m512 {
    let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let f = _mm512_sub_ps(x, whole);
    let p = polynomial(f, [5.517_166_5e-2, 2.426_111_4e-1, 6.932_61e-1, 9.999_281e-1]);
    _mm512_scalef_ps(p, whole)
}

/// 1/(1 + e⁻ˣ), within 3e-5.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn sigmoid(x: __m512) -> __m512 {
    /// Beyond, the result is 0 or 1 to the last bit of what it is multiplied with, and its reciprocal still a number.
    const REACH: f32 = 64.0;
    let (one, two) = (_mm512_set1_ps(1.0), _mm512_set1_ps(2.0));
    let power = exp2(_mm512_min_ps(_mm512_mul_ps(x, _mm512_set1_ps(-std::f32::consts::LOG2_E)), _mm512_set1_ps(REACH)));
    let sum = _mm512_add_ps(one, power);
    // One step of Newton's takes the approximation, good to 6e-5, to 4e-9: a gate that stays open must not leak.
    let guess = _mm512_rcp14_ps(sum);
    _mm512_mul_ps(guess, _mm512_fnmadd_ps(sum, guess, two))
}

/// The hyperbolic tangent, within 6e-5.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn tanh(x: __m512) -> __m512 {
    let two = _mm512_set1_ps(2.0);
    _mm512_fmsub_ps(two, sigmoid(_mm512_mul_ps(two, x)), _mm512_set1_ps(1.0))
}

/// Max(x, x/100), the leaky rectifier (Maas et al. 2013).
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn leaky_relu(x: __m512) -> __m512 {
    _mm512_max_ps(x, _mm512_mul_ps(x, _mm512_set1_ps(0.01)))
}

/// x·Φ(x) (Hendrycks and Gimpel 2016). Φ(x) - 1/2 is an odd minimax polynomial up to ±4 and 9.4e-6 off its limit beyond,
/// which keeps the error below 1.6e-4 up to ±16: what rounding to bf16 costs from 0.04 on.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn gelu(x: __m512) -> __m512 {
    const REACH: f32 = 4.0;
    let near = _mm512_max_ps(_mm512_min_ps(x, _mm512_set1_ps(REACH)), _mm512_set1_ps(-REACH));
    let square = _mm512_mul_ps(near, near);
    let p = polynomial(
        square,
        [
            -1.301_292_3e-9,
            1.041_960_6e-7,
            -3.657_122_4e-6,
            7.485_496e-5,
            -1.006_489_9e-3,
            9.505_397e-3,
            -6.588_784e-2,
            3.986_734e-1,
        ],
    );
    _mm512_mul_ps(x, _mm512_fmadd_ps(p, near, _mm512_set1_ps(0.5)))
}

/// Horner's rule, the coefficient of the highest power first.
#[inline]
#[target_feature(enable = "avx512f")]
fn polynomial<const N: usize>(x: __m512, coefficients: [f32; N]) -> __m512 {
    let mut p = _mm512_set1_ps(coefficients[0]);
    for c in &coefficients[1..] {
        p = _mm512_fmadd_ps(p, x, _mm512_set1_ps(*c));
    }
    p
}

/// Sixteen numbers of a row from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(row: &[f32], at: usize) -> __m512 {
    let part = &row[at..at + LANES];
    // SAFETY: `part` is sixteen floats long; the load needs no alignment.
    unsafe { _mm512_loadu_ps(part.as_ptr()) }
}

/// Writes sixteen numbers into a row from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store(row: &mut [f32], at: usize, value: __m512) {
    let part = &mut row[at..at + LANES];
    // SAFETY: `part` is sixteen floats long; the store needs no alignment.
    unsafe { _mm512_storeu_ps(part.as_mut_ptr(), value) }
}

/// Writes sixteen numbers into a row of bf16 from `at` on, rounded to the nearest.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn store_bf16(row: &mut [u16], at: usize, value: __m512) {
    let part = &mut row[at..at + LANES];
    // SAFETY: both types are 32 plain bytes.
    let rounded = unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value)) };
    // SAFETY: `part` is sixteen 16-bit numbers long; the store needs no alignment.
    unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast(), rounded) }
}

/// Layer normalisation of a row (Ba et al. 2016; ε 1e-5), handed out sixteen numbers at a time.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn normalise(row: &[f32], gamma: &[f32], beta: &[f32], mut out: impl FnMut(usize, __m512)) {
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
pub(crate) fn exponentials(row: &[f32], mut out: impl FnMut(usize, __m512)) -> f32 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_and_tanh_are_close_to_their_definitions() {
        if !is_x86_feature_detected!("avx512f") {
            return;
        }
        let reach = [f32::MIN, -1e4, -100.0, 100.0, 1e4, f32::MAX, f32::NEG_INFINITY, f32::INFINITY];
        for x in (-2_000..=2_000).map(|i| i as f32 / 100.0).chain(reach) {
            let mut out = [0.0; 2 * LANES];
            // SAFETY: the processor has AVX-512, as asked above.
            unsafe {
                store(&mut out, 0, sigmoid(_mm512_set1_ps(x)));
                store(&mut out, LANES, tanh(_mm512_set1_ps(x)));
            }
            let expected = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(out[0]) - expected).abs() < 3e-5, "sigmoid {x}: {}", out[0]);
            assert!((f64::from(out[LANES]) - f64::from(x).tanh()).abs() < 6e-5, "tanh {x}: {}", out[LANES]);
        }
    }

    #[test]
    fn gelu_is_close_to_its_definition() {
        if !is_x86_feature_detected!("avx512f") {
            return;
        }
        // Φ by its series (Abramowitz and Stegun 26.2.10), which converges for all arguments; beyond ±5 it is 0 or 1.
        let phi = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for k in 1..400 {
                term *= -x * x / (2.0 * f64::from(k));
                sum += term / f64::from(2 * k + 1);
            }
            0.5 + sum / std::f64::consts::TAU.sqrt()
        };
        for i in -500..=500 {
            let x = f64::from(i) / 100.0;
            let mut out = [0.0; LANES];
            // SAFETY: the processor has AVX-512, as asked above.
            unsafe {
                let value = gelu(_mm512_set1_ps(x as f32));
                store(&mut out, 0, value);
            }
            let error = (f64::from(out[0]) - x * phi(x)).abs();
            assert!(error < 1.6e-4, "{x}: {error}");
            let far = if x < 0.0 { -16.0 } else { 16.0 };
            // SAFETY: as above.
            unsafe { store(&mut out, 0, gelu(_mm512_set1_ps(far))) };
            assert!((out[0] - far.max(0.0)).abs() < 1.6e-4);
        }
    }
}
