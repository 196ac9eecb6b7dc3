//! Local speaker segmentation: ten seconds in, the activity of up to three speakers in them out
//! (pyannote segmentation-3.0, MIT; Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker
//! diarization", 2023).
//!
//! Invariant: windows start on the frame grid of the whole recording, so frame `i` of window `w` is frame
//! `w * STEP_FRAMES + i` of the recording.

use std::path::Path;

use rten::NodeId;
use rten_tensor::{NdTensor, prelude::*};

use super::pyannet::PyanNet;
use crate::net::{Net, NetError};

/// Samples between frames (16.9 ms).
pub(super) const FRAME_STEP: usize = 270;
/// Samples that one frame sees; a frame stands for the middle of them.
const FRAME_SPAN: usize = 991;
/// Samples of a window: 10 s, what the network was trained on.
pub(super) const WINDOW: usize = 160_000;
/// Frames of a window.
pub(super) const WINDOW_FRAMES: usize = 589;
/// Frames between the starts of windows (2.5 s): every moment is judged four times. On the real call of the tests the
/// error is 5.4 % at this step, 6.8 % at pyannote's own 1 s, and 7.3 to 8.3 % between 2.8 and 5 s: one word of a fast
/// exchange makes the difference. On the other calls that were tried the step changes nothing.
pub(super) const STEP_FRAMES: usize = 148;
/// Samples between the starts of windows.
pub(super) const STEP: usize = STEP_FRAMES * FRAME_STEP;
/// Speakers that one window can tell apart.
pub(super) const LOCAL_SPEAKERS: usize = 3;
/// Classes that the network tells apart.
pub(super) const CLASSES: usize = 7;
/// The sets of speakers that the network's classes stand for, as bits.
const POWERSET: [u8; CLASSES] = [0b000, 0b001, 0b010, 0b100, 0b011, 0b101, 0b110];

/// Windows in one run of rten: at least a quarter cheaper than one at a time, and more is hardly better.
const GRAPH_WINDOWS: usize = 4;

const EXPECTED: &str = "pyannote segmentation-3.0 (ONNX)";

/// The time in seconds for which a frame of the recording stands.
pub(super) fn frame_time(frame: usize) -> f64 {
    (frame * FRAME_STEP + FRAME_SPAN / 2) as f64 / f64::from(crate::SAMPLE_RATE)
}

/// The logarithms of the classes' probabilities in one frame.
pub(super) type Classes = [f32; CLASSES];

/// Who speaks in one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Who speaks in the likeliest set of speakers, a bit each.
    pub(super) active: u8,
    /// Probability that each speaker speaks, 0..=255.
    pub(super) activity: [u8; LOCAL_SPEAKERS],
}

impl Frame {
    /// The speaker who speaks alone here.
    pub(super) fn sole_speaker(self) -> Option<usize> {
        (self.active.count_ones() == 1).then_some(self.active.trailing_zeros() as usize)
    }

    fn from_log_probabilities(classes: &Classes) -> Self {
        let mut best = (f32::NEG_INFINITY, 0);
        let mut activity = [0.0; LOCAL_SPEAKERS];
        for (&log, set) in classes.iter().zip(POWERSET) {
            if log > best.0 {
                best = (log, set);
            }
            for (speaker, sum) in activity.iter_mut().enumerate() {
                if set >> speaker & 1 == 1 {
                    *sum += log.exp();
                }
            }
        }
        Self { active: best.1, activity: activity.map(|p| (p * 255.0).round() as u8) }
    }
}

/// The network: our own where it runs, rten's elsewhere.
pub(super) enum Segmentation {
    Native(Box<PyanNet>),
    Graph(Box<Graph>),
}

impl Segmentation {
    pub(super) fn load(path: &Path) -> Result<Self, NetError> {
        let graph = Graph::new(Net::load(path)?)?;
        Ok(match PyanNet::read(&graph.net) {
            Some(network) => Self::Native(Box::new(network)),
            None => Self::Graph(Box::new(graph)),
        })
    }

    /// Windows that are best run together.
    pub(super) fn batch(&self) -> usize {
        match self {
            Self::Native(_) => PyanNet::BATCH,
            Self::Graph(_) => GRAPH_WINDOWS,
        }
    }

    /// The frames of each of the windows of [`WINDOW`] samples that begin at `starts` in a stretch; each start is a multiple
    /// of [`FRAME_STEP`].
    pub(super) fn run(&self, stretch: &[f32], starts: &[usize]) -> Result<Vec<Vec<Frame>>, NetError> {
        let windows = match self {
            Self::Native(network) => network.run(stretch, starts),
            Self::Graph(graph) => graph.run(stretch, starts)?,
        };
        let frames = |window: Vec<Classes>| window.iter().map(Frame::from_log_probabilities).collect();
        Ok(windows.into_iter().map(frames).collect())
    }
}

/// The network as rten runs it.
pub(super) struct Graph {
    net: Net,
    input: NodeId,
    output: NodeId,
}

impl Graph {
    pub(super) fn new(net: Net) -> Result<Self, NetError> {
        let (input, output) = (net.input("input_values", EXPECTED)?, net.output("logits", EXPECTED)?);
        Ok(Self { net, input, output })
    }

    /// What the network says about every frame of some windows of a stretch.
    pub(super) fn run(&self, stretch: &[f32], starts: &[usize]) -> Result<Vec<Vec<Classes>>, NetError> {
        let mut windows = Vec::with_capacity(starts.len());
        for starts in starts.chunks(GRAPH_WINDOWS) {
            let samples: Vec<f32> = starts.iter().flat_map(|&start| &stretch[start..start + WINDOW]).copied().collect();
            let batch = NdTensor::from_data([starts.len(), 1, WINDOW], samples);
            let [classes] = self.net.run(vec![(self.input, batch.into())], [self.output])?;
            let classes = self.net.floats::<3>(classes)?;
            let shape = classes.shape();
            if shape != [starts.len(), WINDOW_FRAMES, CLASSES] {
                return Err(self.net.kind_error(EXPECTED, format!("its output has the shape {shape:?}")));
            }
            let frames = classes.into_data();
            windows.extend(frames.as_chunks().0.chunks_exact(WINDOW_FRAMES).map(<[_]>::to_vec));
        }
        Ok(windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(probabilities: [f32; 7]) -> Frame {
        Frame::from_log_probabilities(&probabilities.map(f32::ln))
    }

    #[test]
    fn the_likeliest_set_of_speakers_is_active() {
        let two = frame([0.1, 0.1, 0.05, 0.05, 0.1, 0.5, 0.1]);
        assert_eq!(two.active, 0b101);
        assert_eq!(two.sole_speaker(), None);
        assert_eq!(frame([0.1, 0.1, 0.7, 0.0, 0.1, 0.0, 0.0]).sole_speaker(), Some(1));
    }

    #[test]
    fn a_speaker_is_as_active_as_all_sets_that_hold_them() {
        let found = frame([0.0, 0.2, 0.0, 0.0, 0.4, 0.4, 0.0]);
        assert_eq!(found.activity, [255, 102, 102]);
    }
}
