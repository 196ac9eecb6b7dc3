//! Voice activity: which stretches of a stream hold speech (Silero VAD 6, MIT).
//!
//! Invariant: spans come in order, never overlap, and their ends are samples of the stream as it was pushed.

mod spans;

use std::path::Path;

use rten::NodeId;
use rten_tensor::{NdTensor, NdTensorView, prelude::*};

pub use self::spans::Span;
use self::spans::SpanBuilder;
use crate::net::{Net, NetError};

/// Samples a frame; the network was trained on this size at 16 kHz (32 ms).
pub const FRAME: usize = 512;
/// Samples of the frame before that the network sees again at its start.
const CONTEXT: usize = 64;
/// Frames a run (1 s): the cost of a run itself vanishes beside theirs, and a stream is never more than that behind.
const BATCH: usize = 32;
/// Width of the network's recurrent state.
const STATE: usize = 128;

const EXPECTED: &str = "the Silero VAD network for sequences at 16 kHz (silero_vad_16k_sequence.onnx)";

/// The network in memory, shared by all streams.
pub struct Vad {
    net: Net,
    inputs: [NodeId; 3],
    outputs: [NodeId; 3],
}

impl Vad {
    /// Loads `silero_vad_16k_sequence.onnx`.
    ///
    /// # Errors
    /// [`NetError`] when the file is missing or is another network.
    pub fn load(path: &Path) -> Result<Self, NetError> {
        let net = Net::load(path)?;
        let input = |name| net.input(name, EXPECTED);
        let output = |name| net.output(name, EXPECTED);
        let inputs = [input("input")?, input("h")?, input("c")?];
        let outputs = [output("speech_probs")?, output("hn")?, output("cn")?];
        Ok(Self { net, inputs, outputs })
    }

    /// Starts a stream.
    pub fn stream(&self) -> VadStream<'_> {
        VadStream {
            vad: self,
            pending: vec![0.0; CONTEXT],
            samples: 0,
            hidden: NdTensor::zeros([1, 1, STATE]),
            cell: NdTensor::zeros([1, 1, STATE]),
            gain: AutomaticGain::default(),
            spans: SpanBuilder::default(),
        }
    }
}

/// Voice activity of one stream of 16 kHz mono samples; holds about a second of it.
pub struct VadStream<'a> {
    vad: &'a Vad,
    /// The context of the next frame, then the samples that have not been looked at.
    pending: Vec<f32>,
    samples: u64,
    hidden: NdTensor<f32, 3>,
    cell: NdTensor<f32, 3>,
    gain: AutomaticGain,
    spans: SpanBuilder,
}

impl VadStream<'_> {
    /// Takes the next samples, of any number, and returns the spans of speech that ended in what is known by now.
    ///
    /// # Errors
    /// [`NetError::Run`] when the network fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<Span>, NetError> {
        let mut spans = Vec::new();
        for block in samples.chunks(BATCH * FRAME) {
            self.samples += block.len() as u64;
            self.pending.extend_from_slice(block);
            if self.pending.len() >= CONTEXT + BATCH * FRAME {
                self.run(BATCH, &mut spans)?;
            }
        }
        Ok(spans)
    }

    /// Ends the stream and returns the last spans.
    ///
    /// # Errors
    /// [`NetError::Run`] when the network fails.
    pub fn finish(mut self) -> Result<Vec<Span>, NetError> {
        let mut spans = Vec::new();
        let frames = (self.pending.len() - CONTEXT).div_ceil(FRAME);
        if frames > 0 {
            self.pending.resize(CONTEXT + frames * FRAME, 0.0);
            self.run(frames, &mut spans)?;
        }
        spans.extend(self.spans.finish(self.samples));
        Ok(spans)
    }

    /// Everything up to this sample has been judged: a span that is still to come starts after it, or is open.
    pub fn horizon(&self) -> u64 {
        self.samples - (self.pending.len() - CONTEXT) as u64
    }

    /// Where the span that is open at the horizon starts, if one is.
    pub fn open_since(&self) -> Option<u64> {
        self.spans.open_since()
    }

    fn run(&mut self, frames: usize, spans: &mut Vec<Span>) -> Result<(), NetError> {
        let Vad { net, inputs, outputs } = self.vad;
        let mut input = Vec::with_capacity(frames * (CONTEXT + FRAME));
        for frame in 0..frames {
            let samples = &self.pending[frame * FRAME..frame * FRAME + CONTEXT + FRAME];
            let gain = self.gain.follow(&samples[CONTEXT..]);
            input.extend(samples.iter().map(|x| x * gain));
        }
        let input = NdTensorView::from_data([frames, CONTEXT + FRAME], &input[..]);
        let feed = vec![
            (inputs[0], input.into()),
            (inputs[1], self.hidden.view().into()),
            (inputs[2], self.cell.view().into()),
        ];
        let [probabilities, hidden, cell] = net.run(feed, *outputs)?;
        let probabilities = net.floats::<1>(probabilities)?;
        self.hidden = net.floats(hidden)?;
        self.cell = net.floats(cell)?;
        self.pending.drain(..frames * FRAME);
        spans.extend(probabilities.iter().filter_map(|&p| self.spans.push(p)));
        Ok(())
    }
}

/// Raises quiet stretches before the network hears them: after a loud voice it takes one 30 dB below for background.
#[derive(Default)]
struct AutomaticGain {
    /// Root mean square of the loudest recent frame, forgotten by [`RELEASE`] a frame.
    envelope: f32,
}

/// 30 dB a second: slower than the pauses between words, faster than the change from one voice to the next.
const RELEASE: f32 = 0.895;
/// Speech is raised to about this root mean square: -20 dBFS.
const LOUD: f32 = 0.1;
/// The most by which anything is raised: 20 dB. Beyond that it would be the noise of the line.
const MAX_GAIN: f32 = 10.0;

impl AutomaticGain {
    /// The gain for the next frame.
    fn follow(&mut self, frame: &[f32]) -> f32 {
        let rms = (frame.iter().map(|x| x * x).sum::<f32>() / frame.len().max(1) as f32).sqrt();
        self.envelope = rms.max(self.envelope * RELEASE);
        (LOUD / self.envelope.max(f32::MIN_POSITIVE)).clamp(1.0, MAX_GAIN)
    }
}
