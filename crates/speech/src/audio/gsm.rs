//! GSM 06.10 full-rate speech (ETSI EN 300 961), the decoder: 33 bytes of 260 bits become 160 samples at 8 kHz. Its one
//! invariant: any bits decode to some sound, in the 16-bit saturating arithmetic of the standard (§5.1), bit-exactly.

/// Samples in a frame: 20 ms at 8 kHz.
pub(super) const FRAME_SAMPLES: usize = 160;

/// Bytes of two frames as WAVE packs them ("WAV49"): 520 bits, lowest bit first, without GSM's own four-bit signature.
pub(super) const PAIR_BYTES: usize = 65;

/// Samples that the long-term predictor looks back at most (§5.2.15).
const LOOK_BACK: usize = 120;

/// The state between frames.
pub(super) struct Gsm {
    /// The excitation: [`LOOK_BACK`] samples of the past, then 40 of the sub-frame in work.
    excitation: [i16; LOOK_BACK + 40],
    lag: usize,
    /// Log-area ratios of the frame before.
    ratios: [i16; 8],
    /// The synthesis lattice's memory.
    lattice: [i16; 9],
    deemphasis: i16,
}

/// A frame's parameters, by their names in §1.7.
struct Frame {
    lar: [i16; 8],
    sub: [SubFrame; 4],
}

/// A quarter of a frame: 5 ms.
#[derive(Clone, Copy, Default)]
struct SubFrame {
    lag: usize,
    gain: usize,
    grid: usize,
    xmax: i16,
    pulses: [i16; 13],
}

impl Default for Gsm {
    fn default() -> Self {
        Self { excitation: [0; LOOK_BACK + 40], lag: 40, ratios: [0; 8], lattice: [0; 9], deemphasis: 0 }
    }
}

impl Gsm {
    /// Decodes a pair of frames and appends their 320 samples to `out`.
    pub(super) fn decode_pair(&mut self, bytes: &[u8; PAIR_BYTES], out: &mut Vec<i16>) {
        let mut bits = Bits { bytes, at: 0 };
        for _ in 0..2 {
            let frame = read_frame(&mut bits);
            out.extend(self.decode(&frame));
        }
    }

    fn decode(&mut self, frame: &Frame) -> [i16; FRAME_SAMPLES] {
        let mut samples = [0; FRAME_SAMPLES];
        for (sub, samples) in frame.sub.iter().zip(samples.chunks_exact_mut(40)) {
            samples.copy_from_slice(&self.long_term(sub));
        }
        self.short_term(&decode_ratios(&frame.lar), &mut samples);
        for sample in &mut samples {
            // §5.2.18: de-emphasis, doubling, and the three lowest bits cleared.
            self.deemphasis = sample.saturating_add(multiply(self.deemphasis, 28_180));
            *sample = self.deemphasis.saturating_add(self.deemphasis) & !7;
        }
        samples
    }

    /// §5.2.15 and .16: the pulses, and what the pitch predictor adds from the past.
    fn long_term(&mut self, sub: &SubFrame) -> [i16; 40] {
        const GAINS: [i16; 4] = [3277, 11_469, 21_299, 32_767];
        let pulses = decode_pulses(sub);
        if (40..=LOOK_BACK).contains(&sub.lag) {
            self.lag = sub.lag;
        }
        for (n, pulse) in pulses.into_iter().enumerate() {
            let past = self.excitation[LOOK_BACK + n - self.lag];
            self.excitation[LOOK_BACK + n] = pulse.saturating_add(multiply(GAINS[sub.gain], past));
        }
        let mut now = [0; 40];
        now.copy_from_slice(&self.excitation[LOOK_BACK..]);
        self.excitation.copy_within(40.., 0);
        now
    }

    /// §5.2.9 and .17: the vocal tract as a lattice filter, its ratios interpolated over the frame's first 40 samples.
    fn short_term(&mut self, ratios: &[i16; 8], samples: &mut [i16; FRAME_SAMPLES]) {
        let before = std::mem::replace(&mut self.ratios, *ratios);
        type Blend = fn(i16, i16) -> i16;
        let blends: [(usize, usize, Blend); 4] = [
            (0, 13, |old, new| (old >> 2).saturating_add(new >> 2).saturating_add(old >> 1)),
            (13, 27, |old, new| (old >> 1).saturating_add(new >> 1)),
            (27, 40, |old, new| (old >> 2).saturating_add(new >> 2).saturating_add(new >> 1)),
            (40, FRAME_SAMPLES, |_, new| new),
        ];
        for (from, to, blend) in blends {
            let mut reflection = [0; 8];
            for (reflection, (&old, &new)) in reflection.iter_mut().zip(before.iter().zip(ratios)) {
                *reflection = to_reflection(blend(old, new));
            }
            for sample in &mut samples[from..to] {
                *sample = self.lattice_step(&reflection, *sample);
            }
        }
    }

    fn lattice_step(&mut self, reflection: &[i16; 8], input: i16) -> i16 {
        let mut value = input;
        for (i, &r) in reflection.iter().enumerate().rev() {
            value = value.saturating_sub(multiply(r, self.lattice[i]));
            self.lattice[i + 1] = self.lattice[i].saturating_add(multiply(r, value));
        }
        self.lattice[0] = value;
        value
    }
}

/// §5.2.8: quantised log-area ratios back to values.
fn decode_ratios(coded: &[i16; 8]) -> [i16; 8] {
    /// B, MIC and INVA of table 5.1 and 5.2.
    const TABLE: [(i16, i16, i16); 8] = [
        (0, -32, 13_107),
        (0, -32, 13_107),
        (2048, -16, 13_107),
        (-2560, -16, 13_107),
        (94, -8, 19_223),
        (-1792, -8, 17_476),
        (-341, -4, 31_454),
        (-1144, -4, 29_708),
    ];
    std::array::from_fn(|i| {
        let (b, least, inverse) = TABLE[i];
        let value = multiply(inverse, (coded[i].saturating_add(least) << 10).saturating_sub(b << 1));
        value.saturating_add(value)
    })
}

/// §5.2.9.2: a log-area ratio to a reflection coefficient, by three straight lines.
fn to_reflection(ratio: i16) -> i16 {
    let size = ratio.saturating_abs();
    let line = match size {
        ..11_059 => size << 1,
        11_059..20_070 => size + 11_059,
        _ => (size >> 2).saturating_add(26_112),
    };
    if ratio < 0 { -line } else { line }
}

/// §5.2.13 and .14: block-adaptive PCM of 13 pulses, every third sample from the grid's position.
fn decode_pulses(sub: &SubFrame) -> [i16; 40] {
    /// FAC of table 5.6: 2^15 times a mantissa from 9/16 to 1.
    const FACTORS: [i16; 8] = [18_431, 20_479, 22_527, 24_575, 26_623, 28_671, 30_719, 32_767];
    let (exponent, mantissa) = exponent_and_mantissa(sub.xmax);
    let shift = 6 - exponent;
    let rounding = if shift > 0 { 1 << (shift - 1) } else { 0 };
    let mut out = [0; 40];
    for (pulse, out) in sub.pulses.iter().zip(out[sub.grid..].iter_mut().step_by(3)) {
        let value = multiply(FACTORS[mantissa], (2 * pulse - 7) << 12);
        *out = value.saturating_add(rounding) >> shift;
    }
    out
}

/// §5.2.12: the block maximum as a power of two, −4..=6, and a mantissa of three bits.
fn exponent_and_mantissa(xmax: i16) -> (i16, usize) {
    let mut exponent = if xmax > 15 { (xmax >> 3) - 1 } else { 0 };
    let mut mantissa = xmax - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, usize::try_from(mantissa - 8).unwrap_or(0))
}

/// §5.1: the product of two fractions of 2^15, rounded and saturated.
fn multiply(a: i16, b: i16) -> i16 {
    let product = (i32::from(a) * i32::from(b) + 16_384) >> 15;
    i16::try_from(product).unwrap_or(i16::MAX)
}

fn read_frame(bits: &mut Bits<'_>) -> Frame {
    let lar = [6, 6, 5, 5, 4, 4, 3, 3].map(|width| bits.take(width));
    let mut sub = [SubFrame::default(); 4];
    for sub in &mut sub {
        let mut index = |width| usize::try_from(bits.take(width)).unwrap_or(0);
        (sub.lag, sub.gain, sub.grid) = (index(7), index(2), index(2));
        sub.xmax = bits.take(6);
        sub.pulses.fill_with(|| bits.take(3));
    }
    Frame { lar, sub }
}

/// Bits of two frames, lowest first.
struct Bits<'a> {
    bytes: &'a [u8; PAIR_BYTES],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, width: usize) -> i16 {
        let value = (0..width).fold(0, |value, bit| {
            let at = self.at + bit;
            value | i16::from(self.bytes[at / 8] >> (at % 8) & 1) << bit
        });
        self.at += width;
        value
    }
}
