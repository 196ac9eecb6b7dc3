//! Sample rates to [`SAMPLE_RATE`] by FFT (crate `rubato`). Its one invariant: the output sample at index `n` is the input at
//! time `n / 16 000` s; the filter's delay is taken out at the start and the input's end is flushed.

use rubato::{
    Fft, FixedSync, Indexing, Resampler as _, WindowFunction, audioadapter_buffers::direct::SequentialSliceOfVecs,
};

use super::{AudioError, MAX_RATE, MIN_RATE};
use crate::SAMPLE_RATE;

/// Input frames that go through the filter at once, at least. Longer blocks make the filter steeper: 1,024 leaves speech untouched
/// to within a few percent of the band's end and costs 64 ms of delay at 8 kHz, which is compensated.
const CHUNK_FRAMES: usize = 1024;

/// Any rate to 16 kHz, any number of channels.
pub struct Resampler {
    inner: Fft<f32>,
    rate: u32,
    to_rate: u32,
    /// Input that does not fill a chunk yet, by channel.
    input: Vec<Vec<f32>>,
    /// One chunk's output, by channel.
    chunk: Vec<Vec<f32>>,
    /// Output frames still to be dropped: the filter's delay.
    delay: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A resampler from `rate` Hz to 16 kHz.
    ///
    /// # Errors
    /// [`AudioError::SampleRate`] outside [`MIN_RATE`]`..=`[`MAX_RATE`].
    pub fn new(rate: u32, channels: usize) -> Result<Self, AudioError> {
        Self::between(rate, SAMPLE_RATE, channels)
    }

    /// A resampler from one rate to another, for stages that work at a rate of their own.
    pub(super) fn between(rate: u32, to_rate: u32, channels: usize) -> Result<Self, AudioError> {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(AudioError::SampleRate { found: rate });
        }
        let (from, to) = (rate as usize, to_rate as usize);
        // The least number of input frames that is a whole number of output frames, an even number of times: half of the
        // filter's length is its delay, and half a sample could not be taken out.
        let unit = from / gcd(from, to);
        let chunk = unit * CHUNK_FRAMES.div_ceil(unit).next_multiple_of(2);
        let inner = Fft::new_custom(from, to, chunk, 1, channels, WindowFunction::BlackmanHarris2, FixedSync::Both)
            .map_err(|_| AudioError::SampleRate { found: rate })?;
        let chunk = vec![vec![0.0; inner.output_frames_max()]; channels];
        let delay = inner.output_delay();
        Ok(Self { inner, rate, to_rate, input: vec![Vec::new(); channels], chunk, delay, taken: 0, given: 0 })
    }

    /// Takes `block` (planar, all channels equally long) and appends what is ready to `out`.
    pub fn push(&mut self, block: &[Vec<f32>], out: &mut [Vec<f32>]) {
        self.taken += block.first().map_or(0, Vec::len) as u64;
        for (input, channel) in self.input.iter_mut().zip(block) {
            input.extend_from_slice(channel);
        }
        self.run(out);
    }

    /// Flushes the input's end: afterwards `out` has got as many frames as the input lasted.
    pub fn finish(&mut self, out: &mut [Vec<f32>]) {
        let total = (self.taken * u64::from(self.to_rate)).div_ceil(u64::from(self.rate));
        while self.given < total {
            let given = self.given;
            let missing = self.inner.input_frames_next().saturating_sub(self.input[0].len());
            for input in &mut self.input {
                input.resize(input.len() + missing, 0.0);
            }
            self.run(out);
            let surplus = usize::try_from(self.given.saturating_sub(total)).unwrap_or(0);
            for channel in &mut *out {
                channel.truncate(channel.len() - surplus);
            }
            // The delay is a finite number of chunks; an output that no longer grows would be the library's fault.
            if self.given == given && self.delay == 0 {
                break;
            }
        }
    }

    fn run(&mut self, out: &mut [Vec<f32>]) {
        let mut used = 0;
        loop {
            let wanted = self.inner.input_frames_next();
            let (channels, available) = (self.input.len(), self.input.first().map_or(0, Vec::len));
            if available - used < wanted {
                break;
            }
            let frames = self.inner.output_frames_next();
            let (Ok(input), Ok(mut output)) = (
                SequentialSliceOfVecs::new(&self.input, channels, available),
                SequentialSliceOfVecs::new_mut(&mut self.chunk, channels, frames),
            ) else {
                break;
            };
            let from = Indexing::new().input_offset(used);
            if self.inner.process_into_buffer(&input, &mut output, Some(&from)).is_err() {
                break;
            }
            used += wanted;
            let skip = self.delay.min(frames);
            self.delay -= skip;
            self.given += (frames - skip) as u64;
            for (out, chunk) in out.iter_mut().zip(&self.chunk) {
                out.extend_from_slice(&chunk[skip..frames]);
            }
        }
        for input in &mut self.input {
            input.drain(..used);
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
