//! Whether what one party's channel holds is only the other party, heard through the line. Its one invariant: a party who
//! talks is never an echo. An echo that is missed costs a doubled sentence; a voice that is lost costs the call.

use realfft::RealFftPlanner;

use crate::SAMPLE_RATE;

/// The latest that an echo comes, in samples: half a second, as over satellite and mobile networks (ITU-T G.131).
pub const MAX_ECHO_DELAY: usize = SAMPLE_RATE as usize / 2;

/// Correlation of an echo with its source: a line and a codec leave it above .9; .75 leaves room for noise.
const MIN_CORRELATION: f64 = 0.75;

/// An echo is weaker than its source by at least this, in dB: lines lose 6 and more.
const MIN_LOSS_DB: f64 = 3.0;

/// The spans in which a voice of its own would show: 50 ms, a short syllable.
const SYLLABLE: usize = SAMPLE_RATE as usize / 20;

/// Share of a syllable's energy that the source must explain.
const MIN_EXPLAINED: f64 = 0.4;

/// How many syllables with more than a tenth of the mean energy may be unexplained, out of all: clicks and noise.
const MAX_UNEXPLAINED: f64 = 0.1;

/// The longest span in samples that is compared: 30 s; of a longer one the start decides.
const MAX_SPAN: usize = 30 * SAMPLE_RATE as usize;

/// Whether `b` (16 kHz) is an attenuated copy of `a`, at most [`MAX_ECHO_DELAY`] samples late.
///
/// Both end at the same time; `a` may start earlier, by up to [`MAX_ECHO_DELAY`], to hold the source of what opens `b`.
pub fn is_echo(a: &[f32], b: &[f32]) -> bool {
    let lead = a.len().saturating_sub(b.len());
    let b = &b[..b.len().min(MAX_SPAN)];
    let a = &a[..a.len().min(lead + b.len())];
    let Some(delay) = delay(a, b, lead) else { return false };
    // Where the source is not in `a`, there is nothing to compare with.
    let skip = delay.saturating_sub(lead);
    let (heard, source) = (&b[skip..], &a[lead + skip - delay..]);
    let (of_source, of_heard, product) = products(source, heard);
    if of_source <= 0.0 || of_heard <= 0.0 {
        return false;
    }
    let loss_db = 10.0 * (of_source / of_heard).log10();
    if product * product < (MIN_CORRELATION * MIN_CORRELATION) * of_source * of_heard || loss_db < MIN_LOSS_DB {
        return false;
    }
    let mean = of_heard / heard.len() as f64;
    let mut loud = 0u32;
    let mut unexplained = 0u32;
    for (heard, source) in heard.chunks_exact(SYLLABLE).zip(source.chunks_exact(SYLLABLE)) {
        let (of_source, of_heard, product) = products(source, heard);
        if of_heard > 0.1 * mean * SYLLABLE as f64 {
            loud += 1;
            unexplained += u32::from(product * product < MIN_EXPLAINED * of_source * of_heard);
        }
    }
    f64::from(unexplained) <= MAX_UNEXPLAINED * f64::from(loud)
}

/// Energies of both and their product.
fn products(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    a.iter().zip(b).fold((0.0, 0.0, 0.0), |(aa, bb, ab), (&a, &b)| {
        let (a, b) = (f64::from(a), f64::from(b));
        (aa + a * a, bb + b * b, ab + a * b)
    })
}

/// The delay at which `b` is most like `a`: the top of their cross-correlation, computed by FFT.
fn delay(a: &[f32], b: &[f32], lead: usize) -> Option<usize> {
    if b.len() < 2 * SYLLABLE {
        return None;
    }
    let size = (a.len() + b.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |samples: &[f32]| {
        let mut padded = forward.make_input_vec();
        padded[..samples.len()].copy_from_slice(samples);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).ok().map(|()| spectrum)
    };
    let (of_a, mut product) = (spectrum(a)?, spectrum(b)?);
    for (product, of_a) in product.iter_mut().zip(&of_a) {
        *product *= of_a.conj();
    }
    // The FFT asks for real ends of the spectrum; rounding may have left a trace.
    product[0].im = 0.0;
    product[size / 2].im = 0.0;
    let mut correlation = inverse.make_output_vec();
    inverse.process(&mut product, &mut correlation).ok()?;
    // `b[n]` against `a[n + lead - delay]`: index `delay - lead`, counted around.
    let at = |delay: usize| correlation[(size + delay - lead) % size].abs();
    (0..=MAX_ECHO_DELAY.min(lead + b.len() / 2)).max_by(|&x, &y| at(x).total_cmp(&at(y)))
}
