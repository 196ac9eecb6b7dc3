//! One recording on its way through the diarizer.

use super::{
    Diarizer, SpeakerCount, Turn,
    cluster::{self, LocalVoice},
    embedding::{self, Embedding},
    reconstruct::{self, NamedWindow},
    segmentation::{FRAME_STEP, Frame, LOCAL_SPEAKERS, STEP, STEP_FRAMES, WINDOW, WINDOW_FRAMES, frame_time},
};
use crate::{SAMPLE_RATE, net::NetError};

/// Windows in the first run of the segmentation network: recognition of the first words waits for it.
const FIRST_WINDOWS: usize = 4;
/// Voices that wait for one run of the embedding network; a larger batch is hardly faster.
const VOICES: usize = 8;
/// A window whose loudest sample is below this (−60 dBFS) is silence and costs nothing.
const SILENCE: f32 = 1e-3;

/// Who spoke when, and how they sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diarization {
    /// Turns by start; turns of different speakers may overlap.
    pub turns: Vec<Turn>,
    /// The voice of every speaker that the turns name.
    pub voices: Vec<Voice>,
}

/// How one speaker sounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// Unit vector of the embedding network; comparable only with those of the same network.
    pub embedding: Vec<f32>,
    /// Seconds of undisturbed speech that it was taken from.
    pub seconds: f64,
}

/// Where the speaker seems to change, as far as is known by now.
#[derive(Clone, Copy, Debug)]
pub struct ChangePoints<'a> {
    /// Seconds, ascending.
    pub times: &'a [f64],
    /// Seconds up to which there will be no others.
    pub known_until: f64,
}

/// One recording.
pub struct Session<'a> {
    diarizer: &'a Diarizer,
    /// Samples from the start of the next window on.
    buffer: Vec<f32>,
    samples: u64,
    /// The frames of every window so far.
    segmented: Vec<Vec<Frame>>,
    pending: Vec<(LocalVoice, embedding::Voice)>,
    voices: Vec<LocalVoice>,
    changes: Vec<f64>,
}

impl<'a> Session<'a> {
    pub(super) fn new(diarizer: &'a Diarizer) -> Self {
        Self {
            diarizer,
            buffer: Vec::with_capacity(stretch(diarizer.segmentation.batch()) + STEP),
            samples: 0,
            segmented: Vec::new(),
            pending: Vec::new(),
            voices: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Takes the next samples (16 kHz, mono), of any number.
    ///
    /// # Errors
    /// [`NetError::Run`] when a network fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), NetError> {
        for block in samples.chunks(STEP) {
            self.samples += block.len() as u64;
            self.buffer.extend_from_slice(block);
            let windows = self.windows_wanted();
            if self.buffer.len() >= stretch(windows) {
                self.windows(windows)?;
            }
        }
        Ok(())
    }

    /// Windows that the next run of the segmentation network waits for.
    fn windows_wanted(&self) -> usize {
        if self.segmented.is_empty() { FIRST_WINDOWS } else { self.diarizer.segmentation.batch() }
    }

    /// Where the speaker changes, as far as that is known: a hint, six seconds behind and up to as much more as a
    /// run of the segmentation network takes in at once: 12 s on rten, 42 s on our own.
    pub fn change_points(&self) -> ChangePoints<'_> {
        let frames = match self.segmented.len() {
            0 => 0,
            n => (n - 1) * STEP_FRAMES + CENTRE.end,
        };
        ChangePoints { times: &self.changes, known_until: if frames == 0 { 0.0 } else { frame_time(frames) } }
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// [`NetError::Run`] when a network fails.
    pub fn finish(mut self, count: SpeakerCount) -> Result<Diarization, NetError> {
        // What the last window has covered is still there, for the next to overlap with.
        let covered = if self.segmented.is_empty() { 0 } else { WINDOW - STEP };
        if self.buffer.len() > covered {
            let windows = 1 + self.buffer.len().saturating_sub(WINDOW).div_ceil(STEP);
            self.buffer.resize(stretch(windows), 0.0);
            self.windows(windows)?;
        }
        self.embed()?;
        let people = cluster::cluster(&self.voices, self.diarizer.embedder.space(), count);
        let duration = self.samples as f64 / f64::from(SAMPLE_RATE);
        let mut windows: Vec<_> =
            self.segmented.iter().map(|frames| NamedWindow { frames, people: [None; LOCAL_SPEAKERS] }).collect();
        for (voice, &person) in self.voices.iter().zip(&people.person) {
            windows[voice.window].people[voice.local] = Some(person);
        }
        let mut turns = reconstruct::turns(&windows, people.centroids.len(), duration);
        let order = by_appearance(&mut turns, people.centroids.len());
        let voice = |&person: &usize| Voice {
            embedding: people.centroids[person].to_vec(),
            seconds: self.seconds_of(&people.person, person),
        };
        Ok(Diarization { voices: order.iter().map(voice).collect(), turns })
    }

    fn seconds_of(&self, people: &[usize], person: usize) -> f64 {
        let frames: usize = self.voices.iter().zip(people).filter(|(_, p)| **p == person).map(|(v, _)| v.frames).sum();
        // Every moment is heard in about as many windows as steps fit into one.
        (frames * FRAME_STEP) as f64 / f64::from(SAMPLE_RATE) * STEP as f64 / WINDOW as f64
    }

    /// Segments the first windows of the buffer, queues the voices in them, and drops what no later window needs.
    fn windows(&mut self, count: usize) -> Result<(), NetError> {
        let buffer = std::mem::take(&mut self.buffer);
        let window = |i: usize| &buffer[i * STEP..i * STEP + WINDOW];
        let sounds = |i: &usize| window(*i).iter().any(|x| x.abs() >= SILENCE);
        let sounding: Vec<usize> = (0..count).filter(sounds).collect();
        let starts: Vec<usize> = sounding.iter().map(|i| i * STEP).collect();
        let mut segmented = self.diarizer.segmentation.run(&buffer, &starts)?.into_iter();
        for i in 0..count {
            let frames = if sounding.contains(&i) { segmented.next() } else { None };
            let frames = frames.unwrap_or_else(|| vec![Frame::default(); WINDOW_FRAMES]);
            self.queue_voices(window(i), &frames);
            self.note_changes(&frames, self.segmented.len());
            self.segmented.push(frames);
        }
        self.buffer.extend_from_slice(&buffer[count * STEP..]);
        if self.pending.len() >= VOICES { self.embed() } else { Ok(()) }
    }

    fn queue_voices(&mut self, window: &[f32], frames: &[Frame]) {
        let mut features = None;
        for local in 0..LOCAL_SPEAKERS {
            let speaks = |frame: &Frame| frame.sole_speaker() == Some(local);
            let alone = frames.iter().filter(|f| speaks(f)).count();
            if alone == 0 {
                continue;
            }
            let features = features.get_or_insert_with(|| self.diarizer.embedder.features(window));
            let at = |sample: usize| frames.get(sample / FRAME_STEP).is_some_and(speaks);
            if let Some(voice) = self.diarizer.embedder.voice(window, features, at) {
                let embedding: Embedding = [0.0; embedding::DIMENSIONS];
                self.pending
                    .push((LocalVoice { window: self.segmented.len(), local, frames: alone, embedding }, voice));
            }
        }
    }

    fn note_changes(&mut self, frames: &[Frame], index: usize) {
        let centre = if index == 0 { 0..CENTRE.end } else { CENTRE };
        let mut last = None;
        for at in centre {
            if let Some(speaker) = frames[at].sole_speaker() {
                if last.is_some_and(|last| last != speaker) {
                    self.changes.push(frame_time(index * STEP_FRAMES + at));
                }
                last = Some(speaker);
            }
        }
    }

    fn embed(&mut self) -> Result<(), NetError> {
        let (locals, voices): (Vec<_>, Vec<_>) = self.pending.drain(..).unzip();
        let embeddings = self.diarizer.embedder.embed(&voices)?;
        self.voices.extend(locals.into_iter().zip(embeddings).map(|(l, embedding)| LocalVoice { embedding, ..l }));
        Ok(())
    }
}

/// Samples that some windows cover.
const fn stretch(windows: usize) -> usize {
    WINDOW + (windows - 1) * STEP
}

/// The frames of a window that no neighbour sees better.
const CENTRE: std::ops::Range<usize> = (WINDOW_FRAMES - STEP_FRAMES) / 2..(WINDOW_FRAMES + STEP_FRAMES) / 2;

/// Renumbers the turns' speakers by first appearance; returns the old number of each new one.
fn by_appearance(turns: &mut [Turn], people: usize) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(people);
    for turn in turns {
        turn.speaker = order.iter().position(|&p| p == turn.speaker).unwrap_or_else(|| {
            order.push(turn.speaker);
            order.len() - 1
        });
    }
    order
}
