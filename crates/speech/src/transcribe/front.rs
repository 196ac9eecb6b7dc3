//! From a recording to the signals of its parties: one signal where everybody is in one, one a channel where each party
//! has its own. Two channels are listened to for a while before that is decided; what was heard meanwhile is not lost.

use super::{Channels, Options, Recording, Stages, TranscribeError};
use crate::{
    SAMPLE_RATE,
    audio::{AudioError, Blocks, Denoiser, HighPass, Layout, LayoutDetector, Meter, Quality, Reader},
    transcript::QualityWarning,
};

/// Seconds of two channels that are held until it is clear what they are: longer than a ringing phone.
const MAX_UNDECIDED_SECONDS: usize = 120;
/// The most channels that are read as one party each.
const MAX_PARTIES: usize = 8;

/// How channels become signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Routing {
    /// Two channels that may be one sound: still listening.
    Undecided,
    /// Each channel is a signal.
    Split,
    /// The mean of all channels.
    Mean,
    /// The sum: one channel is silent, or nearly.
    Sum,
    /// The first channel: all hold the same.
    First,
}

/// A recording on its way to signals of 16 kHz.
pub(super) struct Front {
    blocks: Box<dyn Blocks>,
    routing: Routing,
    detector: LayoutDetector,
    /// Channels that were read while the routing was undecided.
    held: Vec<Vec<f32>>,
    meters: Vec<Meter>,
    conditioners: Vec<Conditioner>,
    stages: Stages,
    samples: u64,
    ended: bool,
}

impl Front {
    pub(super) fn open(recording: Recording, options: &Options) -> Result<Self, TranscribeError> {
        let blocks = match recording {
            Recording::Encoded(source) => Box::new(Reader::open(source)?),
            Recording::Decoded(blocks) => blocks,
        };
        let channels = blocks.channels();
        let routing = match (options.channels, channels) {
            (_, 1) | (Channels::Mix, _) => Routing::Mean,
            (Channels::Split, n) if n > MAX_PARTIES => {
                let message = format!("has {n} channels; at most {MAX_PARTIES} can be read as one party each");
                return Err(TranscribeError::Option(message));
            }
            (Channels::Split, _) => Routing::Split,
            (Channels::Auto, 2) => Routing::Undecided,
            (Channels::Auto, _) => Routing::Mean,
        };
        Ok(Self {
            routing,
            detector: LayoutDetector::default(),
            held: vec![Vec::new(); channels],
            meters: (0..channels).map(|_| Meter::default()).collect(),
            conditioners: Vec::new(),
            stages: options.stages,
            samples: 0,
            ended: false,
            blocks,
        })
    }

    /// Length in seconds, where the container tells.
    pub(super) fn announced_seconds(&self) -> Option<f64> {
        self.blocks.duration()
    }

    /// Seconds read so far.
    pub(super) fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(SAMPLE_RATE)
    }

    /// The next samples of each signal, equally many; `None` at the end. The number of signals never changes.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Vec<f32>>>, AudioError> {
        while !self.ended {
            let Some(block) = self.blocks.next_block()? else {
                self.ended = true;
                return Ok(self.flush());
            };
            self.samples += block[0].len() as u64;
            for (meter, channel) in self.meters.iter_mut().zip(block) {
                meter.push(channel, None);
            }
            if self.routing == Routing::Undecided {
                self.detector.push(&block[0], &block[1]);
                hold(&mut self.held, block);
                let full = self.held[0].len() >= MAX_UNDECIDED_SECONDS * SAMPLE_RATE as usize;
                let layout = self.detector.decided().or_else(|| full.then(|| self.detector.decide()));
                let Some(layout) = layout else { continue };
                self.routing = routing_of(layout);
                let held: Vec<_> = self.held.iter_mut().map(std::mem::take).collect();
                return Ok(Some(self.condition(held, false)));
            }
            let block = block.to_vec();
            return Ok(Some(self.condition(block, false)));
        }
        Ok(None)
    }

    /// Whether each party has a signal of its own.
    pub(super) fn split(&self) -> bool {
        self.routing == Routing::Split
    }

    /// What is known about the recording's quality; complete at its end.
    pub(super) fn warnings(&self) -> Vec<QualityWarning> {
        /// Less speech above the background than this, in dB, is hard to follow.
        const MIN_SNR_DB: f64 = 10.0;
        /// A larger share of clipped samples is audible.
        const MAX_CLIPPED: f64 = 0.001;
        let qualities: Vec<Quality> = self.meters.iter().map(Meter::quality).collect();
        let mut warnings = Vec::new();
        if qualities.iter().filter_map(|q| q.snr_db).any(|snr| snr < MIN_SNR_DB) {
            warnings.push(QualityWarning::LowSnr);
        }
        if qualities.iter().any(|q| q.clipped > MAX_CLIPPED) {
            warnings.push(QualityWarning::Clipping);
        }
        if self.routing == Routing::First {
            warnings.push(QualityWarning::DualMono);
        }
        let damage = self.blocks.damage();
        if damage.truncated || damage.packets > 0 {
            warnings.push(QualityWarning::Truncated);
        }
        warnings
    }

    /// The end: what is held is released, and the conditioners give out their last samples.
    fn flush(&mut self) -> Option<Vec<Vec<f32>>> {
        if self.routing == Routing::Undecided {
            self.routing = routing_of(self.detector.decide());
        }
        let held: Vec<_> = self.held.iter_mut().map(std::mem::take).collect();
        let signals = self.condition(held, true);
        (!signals[0].is_empty()).then_some(signals)
    }

    fn condition(&mut self, channels: Vec<Vec<f32>>, last: bool) -> Vec<Vec<f32>> {
        let signals = route(self.routing, channels);
        if self.conditioners.is_empty() {
            self.conditioners = signals.iter().map(|_| Conditioner::new(self.stages)).collect();
        }
        signals.into_iter().zip(&mut self.conditioners).map(|(s, c)| c.process(s, last)).collect()
    }
}

fn hold(held: &mut [Vec<f32>], block: &[Vec<f32>]) {
    for (held, channel) in held.iter_mut().zip(block) {
        held.extend_from_slice(channel);
    }
}

fn routing_of(layout: Layout) -> Routing {
    match layout {
        Layout::DualMono => Routing::First,
        Layout::OneSided(_) => Routing::Sum,
        Layout::Distinct => Routing::Split,
    }
}

fn route(routing: Routing, mut channels: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let scale = match routing {
        Routing::Split => return channels,
        Routing::First => {
            channels.truncate(1);
            return channels;
        }
        Routing::Sum | Routing::Undecided => 1.0,
        Routing::Mean => 1.0 / channels.len() as f32,
    };
    let (first, rest) = channels.split_at_mut(1);
    for other in rest {
        for (sum, x) in first[0].iter_mut().zip(other) {
            *sum += *x;
        }
    }
    channels.truncate(1);
    if scale < 1.0 {
        channels[0].iter_mut().for_each(|x| *x *= scale);
    }
    channels
}

/// The stages that clean one signal.
struct Conditioner {
    denoiser: Option<Denoiser>,
    high_pass: Option<HighPass>,
}

impl Conditioner {
    fn new(stages: Stages) -> Self {
        Self {
            // A denoiser that cannot be made leaves the signal as it is: cleaning is no reason to lose a call.
            denoiser: stages.denoise.then(|| Denoiser::new().ok()).flatten(),
            high_pass: stages.high_pass.then(HighPass::default),
        }
    }

    fn process(&mut self, mut samples: Vec<f32>, last: bool) -> Vec<f32> {
        if let Some(denoiser) = &mut self.denoiser {
            let mut clean = Vec::with_capacity(samples.len());
            denoiser.push(&samples, &mut clean);
            if last {
                denoiser.finish(&mut clean);
            }
            samples = clean;
        }
        if let Some(high_pass) = &mut self.high_pass {
            high_pass.process(&mut samples);
        }
        samples
    }
}
