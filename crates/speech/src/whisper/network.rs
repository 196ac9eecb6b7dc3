//! The seam to the engine that computes Whisper: encoder, decoder and cross-attention alignment. Nothing outside this
//! file knows CTranslate2, so that a native engine can take its place, half by half: `encode` hands out opaque states,
//! and `generate` and `align` take them. The encoder's half is taken where the processor multiplies in bf16 (`encoder`).

use std::{cell::RefCell, path::Path, sync::Arc};

use ct2rs::sys::{
    ComputeType, Config, Device as Ct2Device, StorageView, Whisper, WhisperOptions, get_device_count, set_random_seed,
};

use super::{
    encoder::Encoder,
    mel::{FRAMES, POSITIONS},
};
use crate::transcribe::Device;

/// Encoder, decoder and their weights, for one thread. (Several replicas in one engine would share a queue of their own,
/// and the engine's copies of int8 weights prepared for MKL crash: each thread loads the model instead.)
pub(super) struct Network {
    whisper: Whisper,
    encoder: Option<Arc<Encoder>>,
    bands: usize,
}

/// Encoder states of a batch of windows.
pub(super) struct Encoded(States);

enum States {
    /// Where the engine keeps them.
    Engine(StorageView<'static>),
    /// `[batch, positions, size]`; the engine asks for exclusive access to what it only reads.
    Native { shape: [usize; 3], values: RefCell<Vec<f32>> },
}

impl Encoded {
    /// Lends the states to the engine.
    fn lend<R, E: ToString>(&self, call: impl FnOnce(&StorageView<'_>) -> Result<R, E>) -> Result<R, String> {
        match &self.0 {
            States::Engine(view) => call(view),
            States::Native { shape, values } => {
                let mut values = values.borrow_mut();
                call(&StorageView::new(shape, &mut values, Ct2Device::CPU).map_err(|e| e.to_string())?)
            }
        }
        .map_err(|e| e.to_string())
    }
}

/// How to search for the most likely text.
#[derive(Clone, Debug)]
pub(super) enum Search {
    /// Beam search with this many beams; 1 is greedy.
    Beam(usize),
    /// The best of five samples at this temperature.
    Sample(f32),
}

/// What the decoder made of one window.
#[derive(Clone, Debug)]
pub(super) struct Hypothesis {
    /// Text tokens.
    pub(super) tokens: Vec<usize>,
    /// Mean log-probability a token, end of text included.
    pub(super) mean_log_prob: f32,
    /// Probability that the window holds no speech.
    pub(super) no_speech: f32,
}

/// When the tokens of one window were spoken.
#[derive(Clone, Debug)]
pub(super) struct Alignment {
    /// Pairs of token index and encoder frame (20 ms), a monotonic path.
    pub(super) path: Vec<(usize, usize)>,
    /// Probability of each token.
    pub(super) probs: Vec<f32>,
}

/// The seed of the samples that are drawn where text is doubtful. Each thread draws a sequence of its own from it, so one
/// thread gives the same words for the same recordings in the same order; several share windows by chance.
const SEED: u32 = 1;
/// Samples drawn where a temperature is above zero.
const BEST_OF: usize = 5;
/// Frames over which attention is smoothed before alignment, as in the reference implementation.
const MEDIAN_FILTER: i64 = 7;
/// The decoder's limit on prompt and text together.
const MAX_TOKENS: usize = 448;

impl Network {
    /// Loads a model directory that hears `bands` mel bands.
    pub(super) fn load(model: &Path, device: Device, bands: usize) -> Result<Self, String> {
        let config = match device {
            Device::Cpu => Config {
                device: Ct2Device::CPU,
                compute_type: ComputeType::INT8,
                num_threads_per_replica: 1,
                ..Config::default()
            },
            Device::Cuda => {
                if get_device_count(Ct2Device::CUDA) < 1 {
                    return Err("no CUDA device was found; the driver and libcublas 12 have to be installed".into());
                }
                Config { device: Ct2Device::CUDA, compute_type: ComputeType::FLOAT16, ..Config::default() }
            }
        };
        set_random_seed(SEED);
        let whisper = Whisper::new(model, config).map_err(|e| e.to_string())?;
        Ok(Self { whisper, encoder: None, bands })
    }

    /// Puts another encoder, if there is one, in the place of the engine's own.
    pub(super) fn encode_with(self, encoder: Option<Arc<Encoder>>) -> Self {
        Self { encoder, ..self }
    }

    /// Encodes a batch of windows laid out `[batch, bands, FRAMES]`.
    pub(super) fn encode(&self, features: &mut [f32]) -> Result<Encoded, String> {
        let batch = features.len() / (self.bands * FRAMES);
        if let Some(encoder) = &self.encoder {
            let windows: Vec<_> = features.chunks_exact(self.bands * FRAMES).map(|f| encoder.encode(f)).collect();
            let values = windows.concat();
            let shape = [batch, POSITIONS, encoder.size()];
            return Ok(Encoded(States::Native { shape, values: RefCell::new(values) }));
        }
        let view =
            StorageView::new(&[batch, self.bands, FRAMES], features, Ct2Device::CPU).map_err(|e| e.to_string())?;
        self.whisper.encode(&view, false).map(|states| Encoded(States::Engine(states))).map_err(|e| e.to_string())
    }

    /// The probability of each language for each window of the batch, most likely first.
    pub(super) fn detect_language(&self, encoded: &Encoded) -> Result<Vec<Vec<(String, f32)>>, String> {
        let detected = encoded.lend(|states| self.whisper.detect_language(states))?;
        Ok(detected
            .into_iter()
            .map(|window| {
                let code = |token: &str| token.trim_start_matches("<|").trim_end_matches("|>").to_owned();
                window.into_iter().map(|d| (code(&d.language), d.probability)).collect()
            })
            .collect())
    }

    /// Decodes a batch; `prompts` holds one prompt a window, with the start of transcript at the same place in each.
    pub(super) fn generate(
        &self,
        encoded: &Encoded,
        prompts: &[Vec<String>],
        search: &Search,
    ) -> Result<Vec<Hypothesis>, String> {
        let options = match *search {
            Search::Beam(beams) => WhisperOptions { beam_size: beams, ..shared_options() },
            Search::Sample(temperature) => WhisperOptions {
                beam_size: 1,
                num_hypotheses: BEST_OF,
                sampling_topk: 0,
                sampling_temperature: temperature,
                ..shared_options()
            },
        };
        let results = encoded.lend(|states| self.whisper.generate(states, prompts, &options))?;
        results
            .into_iter()
            .map(|mut r| {
                if r.sequences_ids.is_empty() {
                    return Err("the decoder returned no hypothesis".into());
                }
                let tokens = r.sequences_ids.swap_remove(0);
                let score = r.scores.first().copied().unwrap_or(0.0);
                // The engine divides by the text's length alone; the gates count the end of text too.
                let mean_log_prob = score * tokens.len() as f32 / (tokens.len() + 1) as f32;
                Ok(Hypothesis { tokens, mean_log_prob, no_speech: r.no_speech_prob })
            })
            .collect()
    }

    /// Aligns the text of each window with its audio by the attention of the decoder's alignment heads (dynamic time
    /// warping over the attention matrix); `frames` are the 10 ms frames of each window that hold audio.
    pub(super) fn align(
        &self,
        encoded: &Encoded,
        start: &[usize],
        tokens: &[Vec<usize>],
        frames: &[usize],
    ) -> Result<Vec<Alignment>, String> {
        let results = encoded.lend(|states| self.whisper.align(states, start, tokens, frames, MEDIAN_FILTER))?;
        Ok(results
            .into_iter()
            .map(|r| Alignment {
                path: r
                    .alignments
                    .iter()
                    .map(|a| (usize::try_from(a.token_x).unwrap_or(0), usize::try_from(a.frame_x).unwrap_or(0)))
                    .collect(),
                probs: r.text_token_probs,
            })
            .collect())
    }
}

fn shared_options() -> WhisperOptions {
    WhisperOptions {
        max_length: MAX_TOKENS,
        return_scores: true,
        return_no_speech_prob: true,
        ..WhisperOptions::default()
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "a test that skips itself says so")]
mod tests {
    use std::path::PathBuf;

    use super::{super::mel::MelFrontEnd, *};

    #[test]
    fn the_native_encoder_hears_what_the_engine_hears() {
        if !Encoder::available() {
            println!("skipped: no bf16 here");
            return;
        }
        let data = PathBuf::from(std::env::var_os("SUBROSA_DATA_DIR").unwrap_or_else(|| "../../.data".into()));
        let model = data.join("models/whisper-base");
        let wav = std::fs::read(data.join("samples/sample.wav")).unwrap();
        let samples: Vec<f32> =
            wav[44..].as_chunks::<2>().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32_768.0).collect();
        let front = MelFrontEnd::new(80);
        let mut features = vec![0.0; 80 * FRAMES];
        front.compute(&samples, &mut features);

        // States cannot be taken out of the engine, so what the decoder makes of them is compared.
        let english = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"].map(str::to_owned);
        let heard = |encoder| {
            let network = Network::load(&model, Device::Cpu, 80).unwrap().encode_with(encoder);
            let states = network.encode(&mut features.clone()).unwrap();
            let language = network.detect_language(&states).unwrap().swap_remove(0).swap_remove(0);
            let text = network.generate(&states, &[english.to_vec()], &Search::Beam(5)).unwrap().swap_remove(0);
            let (start, frames) = ([50_258, 50_259, 50_359, 50_363], FRAMES);
            let aligned =
                network.align(&states, &start, &[text.tokens[..20].to_vec()], &[frames]).unwrap().swap_remove(0);
            (language, text, aligned)
        };
        let (language, text, aligned) = heard(None);
        let (native_language, native_text, native_aligned) = heard(Encoder::load(&model, 80).unwrap().map(Arc::new));
        assert_eq!(native_language.0, language.0);
        assert!((native_language.1 - language.1).abs() < 0.02);
        assert!((native_text.mean_log_prob - text.mean_log_prob).abs() < 0.1);
        assert_eq!(native_text.tokens[..20], text.tokens[..20]);
        for (native, engine) in native_aligned.probs.iter().zip(&aligned.probs) {
            assert!((native - engine).abs() < 0.15, "{native} against {engine}");
        }
    }
}
