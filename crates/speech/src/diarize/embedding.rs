//! Voices as points: the speech of one speaker in one window in, a vector of 256 numbers out.
//!
//! One code path for both networks; which one it is shows in the shape of the input. GE2E (Wan et al. 2018, as trained
//! for Resemblyzer, Apache-2.0) takes 160 frames at a time, and the mean over such parts is a voice. WeSpeaker ResNet34-LM
//! (Wang et al. 2023) takes any number of frames. Invariant: what the parts of one voice
//! give is averaged before anything else is done with it; its length is kept, because PLDA needs it.

use std::{fs::File, io, path::Path};

use rten::NodeId;
use rten_tensor::NdTensorView;
use sha2::{Digest as _, Sha256};

use super::{
    cluster::Space,
    features::{Features, HOP, Recipe},
    ge2e::Ge2e,
};
use crate::net::{Net, NetError};

/// Numbers of an embedding.
pub(crate) const DIMENSIONS: usize = 256;
/// Frames of one run of GE2E (1.6 s).
pub(super) const PART: usize = 160;
/// Numbers of a frame of GE2E's.
pub(super) const BANDS: usize = 40;
/// Parts of one voice in one window at most (6.4 s of speech): more costs time and adds nothing.
const MAX_PARTS: usize = 4;
/// Frames for WeSpeaker at most, a window's worth.
const MAX_FRAMES: usize = 1_000;
/// Frames of speech below which nothing is learnt about a voice (.3 s).
pub(super) const MIN_FRAMES: usize = 30;
/// The level that GE2E was trained at, as a mean square: −30 dBFS.
const GE2E_POWER: f32 = 1e-3;

const EXPECTED: &str = "a speaker embedding network (GE2E or WeSpeaker, ONNX)";

/// Where a voice lies.
pub(super) type Embedding = [f32; DIMENSIONS];

/// The features of one voice, ready for the network; one or more rows of the batch.
pub(super) struct Voice {
    /// The feature values of every part, frame after frame.
    parts: Vec<Vec<f32>>,
}

/// Which network voices come from, to the byte of its weights: the SHA-256 of its file. Only voices of one model are comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoiceModel {
    /// GE2E.
    Ge2e([u8; 32]),
    /// WeSpeaker ResNet34-LM.
    WeSpeaker([u8; 32]),
}

impl VoiceModel {
    /// The digest by which it is known.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        match self {
            Self::Ge2e(digest) | Self::WeSpeaker(digest) => digest,
        }
    }
}

/// The network and what it hears.
pub(super) struct Embedder {
    network: Network,
    features: Features,
    recipe: Recipe,
    model: VoiceModel,
}

/// Our own where there is one, rten's elsewhere.
enum Network {
    Native(Box<Ge2e>),
    Graph(Box<Graph>),
}

impl Embedder {
    pub(super) fn load(path: &Path) -> Result<Self, NetError> {
        let net = Net::load(path)?;
        let shape = net.first_input_shape();
        let recipe = match shape[..] {
            [_, Some(PART), Some(BANDS)] => Recipe::MelPower,
            [_, None, Some(80)] => Recipe::KaldiFbank,
            _ => return Err(net.kind_error(EXPECTED, format!("its input has the shape {shape:?}"))),
        };
        let graph = Graph::new(net)?;
        let native = if recipe == Recipe::MelPower { Ge2e::read(&graph.net) } else { None };
        let network = match native {
            Some(network) => Network::Native(Box::new(network)),
            None => Network::Graph(Box::new(graph)),
        };
        let unread = |error: io::Error| NetError::Load { path: path.to_owned(), reason: error.to_string() };
        let digest = digest(path).map_err(unread)?;
        let model = match recipe {
            Recipe::MelPower => VoiceModel::Ge2e(digest),
            Recipe::KaldiFbank => VoiceModel::WeSpeaker(digest),
        };
        Ok(Self { network, features: Features::new(recipe), recipe, model })
    }

    /// Whose voices it gives.
    pub(super) fn model(&self) -> &VoiceModel {
        &self.model
    }

    /// The space that its embeddings lie in.
    pub(super) fn space(&self) -> Space {
        match self.recipe {
            Recipe::MelPower => Space::Ge2e,
            Recipe::KaldiFbank => Space::WeSpeaker,
        }
    }

    /// The feature frames of a window, for [`Embedder::voice`].
    pub(super) fn features(&self, window: &[f32]) -> Vec<f32> {
        self.features.compute(window)
    }

    /// The voice that is heard in `window`, whose feature frames are `features`, wherever `speaks` is true for a sample;
    /// `None` when that is too little.
    pub(super) fn voice(&self, window: &[f32], features: &[f32], speaks: impl Fn(usize) -> bool) -> Option<Voice> {
        let hops = window.chunks_exact(HOP).zip(features.chunks_exact(self.features.bands()));
        let spoken: Vec<_> = hops.enumerate().filter_map(|(i, hop)| speaks(i * HOP).then_some(hop)).collect();
        if spoken.len() < MIN_FRAMES {
            return None;
        }
        let energy: f32 = spoken.iter().flat_map(|(samples, _)| samples.iter()).map(|x| x * x).sum();
        let power = energy / (spoken.len() * HOP) as f32;
        let frames: Vec<&[f32]> = spoken.into_iter().map(|(_, frame)| frame).collect();
        Some(Voice {
            parts: match self.recipe {
                Recipe::MelPower => ge2e_parts(&frames, GE2E_POWER / power.max(f32::MIN_POSITIVE)),
                Recipe::KaldiFbank => vec![mean_subtracted(&frames[..frames.len().min(MAX_FRAMES)])],
            },
        })
    }

    /// The embeddings of some voices; those of GE2E run as one batch.
    pub(super) fn embed(&self, voices: &[Voice]) -> Result<Vec<Embedding>, NetError> {
        match self.recipe {
            Recipe::MelPower => {
                let batch: Vec<f32> = voices.iter().flat_map(|v| v.parts.iter().flatten()).copied().collect();
                let mut rows = self.run(&batch, PART)?.into_iter();
                Ok(voices.iter().map(|v| mean(rows.by_ref().take(v.parts.len()))).collect())
            }
            Recipe::KaldiFbank => {
                let one = |voice: &Voice| {
                    let part = &voice.parts[0];
                    Ok(mean(self.run(part, part.len() / self.features.bands())?.into_iter()))
                };
                voices.iter().map(one).collect()
            }
        }
    }

    /// Runs the network on as many rows of `frames` frames as `batch` holds.
    fn run(&self, batch: &[f32], frames: usize) -> Result<Vec<Embedding>, NetError> {
        match &self.network {
            Network::Native(network) => Ok(network.run(batch)),
            Network::Graph(graph) => graph.run(batch, frames, self.features.bands()),
        }
    }
}

/// What a file of weights is known by.
fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hash.finalize().into())
}

/// The network as rten runs it.
pub(super) struct Graph {
    net: Net,
    input: NodeId,
    output: NodeId,
}

impl Graph {
    pub(super) fn new(net: Net) -> Result<Self, NetError> {
        let (input, output) = net
            .single()
            .ok_or_else(|| net.kind_error(EXPECTED, "it has not just one input and one output".to_owned()))?;
        Ok(Self { net, input, output })
    }

    /// Runs the network on as many rows of `frames` frames of `bands` numbers as `batch` holds.
    pub(super) fn run(&self, batch: &[f32], frames: usize, bands: usize) -> Result<Vec<Embedding>, NetError> {
        let rows = batch.len() / (frames * bands);
        if rows == 0 {
            return Ok(Vec::new());
        }
        let input = NdTensorView::from_data([rows, frames, bands], batch);
        let [output] = self.net.run(vec![(self.input, input.into())], [self.output])?;
        let output = self.net.floats::<2>(output)?.into_data();
        let (rows_out, rest) = output.as_chunks::<DIMENSIONS>();
        if rows_out.len() != rows || !rest.is_empty() {
            return Err(self.net.kind_error(EXPECTED, format!("{} numbers for {rows} voices", output.len())));
        }
        Ok(rows_out.to_vec())
    }
}

/// The mean of some vectors.
fn mean(vectors: impl ExactSizeIterator<Item = Embedding>) -> Embedding {
    let count = vectors.len() as f32;
    sum(vectors).map(|x| x / count)
}

/// The sum of some vectors.
pub(super) fn sum(vectors: impl Iterator<Item = Embedding>) -> Embedding {
    vectors.fold([0.0; DIMENSIONS], |mut sum, vector| {
        sum.iter_mut().zip(vector).for_each(|(s, x)| *s += x);
        sum
    })
}

/// The vector at unit length; zeros where it has no direction.
pub(super) fn unit(vector: &Embedding) -> Embedding {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm.is_finite() && norm > 0.0 { vector.map(|x| x / norm) } else { [0.0; DIMENSIONS] }
}

/// Parts of [`PART`] frames, spread evenly over `frames`, their power times `gain`; a voice that is heard for less than
/// one part is repeated.
fn ge2e_parts(frames: &[&[f32]], gain: f32) -> Vec<Vec<f32>> {
    let count = (frames.len() / PART).clamp(1, MAX_PARTS);
    let slack = frames.len().saturating_sub(PART);
    (0..count)
        .map(|i| {
            let start = if count == 1 { slack / 2 } else { slack * i / (count - 1) };
            let part = frames[start..].iter().cycle().take(PART);
            part.flat_map(|frame| frame.iter().map(|x| x * gain)).collect()
        })
        .collect()
}

/// The frames less the mean of every band (Kaldi's cepstral mean subtraction, as WeSpeaker was trained).
fn mean_subtracted(frames: &[&[f32]]) -> Vec<f32> {
    let bands = frames.first().map_or(0, |f| f.len());
    let mut mean = vec![0.0; bands];
    for frame in frames {
        mean.iter_mut().zip(*frame).for_each(|(m, x)| *m += x / frames.len() as f32);
    }
    frames.iter().flat_map(|frame| frame.iter().zip(&mean).map(|(x, m)| x - m)).collect()
}
