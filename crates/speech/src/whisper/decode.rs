//! Windows to words: greedy or beam search first; text that looks wrong (it loops, or the model does not believe it) is
//! decoded again by sampling at rising temperatures, speech that yielded no word is decoded again on its own.
//! The gates are those of the reference implementation (Radford et al. 2022, section 4.5).

use std::{cmp::Ordering, collections::BTreeMap, io::Write, path::Path, sync::Arc};

use flate2::{Compression, write::ZlibEncoder};

use super::{
    encoder::Encoder,
    mel::{FRAMES, MelFrontEnd},
    network::{Encoded, Hypothesis, Network, Search},
    notes::without_notes,
    tokenizer::Tokenizer,
    window::{Span, Window},
    words::words,
};
use crate::{
    transcribe::{Device, Task},
    transcript::Word,
};

/// Text that zlib shrinks further than this repeats itself.
const MAX_COMPRESSION_RATIO: f32 = 2.4;
/// Text whose tokens are less likely than this on average (natural logarithm) is not believed.
const MIN_MEAN_LOG_PROB: f32 = -1.0;
/// Above this probability of no speech a window yields nothing, unless voice activity is sure of it and the text is
/// believable: noise can score -0.2 ("I'm going to go to the next room.").
const MAX_NO_SPEECH: f32 = 0.6;
/// Temperatures of the sampled attempts.
const TEMPERATURES: [f32; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
/// A span of at least this many seconds without a word is decoded again: people need about 0.3 s for a word.
const MIN_UNCOVERED_SECONDS: f64 = 0.6;
/// Fewer tokens a second of speech than this means that the decoder stopped early or skipped a sentence; conversation has 3 to 6.
const MIN_TOKENS_PER_SECOND: f64 = 1.2;
/// Windows and spans with less speech than this many seconds are not judged by their token rate.
const MIN_RATED_SECONDS: f64 = 3.0;
/// How often a window may be cut because its text is too thin: 30 s to under 8 s.
const MAX_CUTS: usize = 2;

/// What a call asks of the recogniser, the same for all its windows.
#[derive(Clone)]
pub(super) struct Request {
    /// What the words are written in.
    pub(super) task: Task,
    /// Beams of the first attempt; 1 is greedy.
    pub(super) beams: usize,
    /// Tokens to put in front of each window: initial prompt and hotwords.
    pub(super) context: Vec<String>,
}

/// One window of a batch, whose requests have equal beams and contexts of equal length.
pub(super) struct Member<'a> {
    pub(super) window: &'a Window,
    /// The language that is spoken.
    pub(super) language: &'a str,
    pub(super) request: &'a Request,
}

impl Member<'_> {
    /// The language that the window's words are written in: a translation is English whatever was spoken.
    pub(super) fn text_language(&self) -> &str {
        match self.request.task {
            Task::Transcribe => self.language,
            Task::Translate => "en",
        }
    }
}

/// One thread's model with everything around it that turns windows into words.
pub(super) struct Decoder {
    network: Network,
    front: MelFrontEnd,
    tokenizer: Arc<Tokenizer>,
}

impl Decoder {
    /// Loads a model directory in CTranslate2 format.
    pub(super) fn load(model: &Path, device: Device, tokenizer: Arc<Tokenizer>) -> Result<Self, String> {
        let bands = mel_bands(model, &tokenizer)?;
        let network = Network::load(model, device, bands)?;
        Ok(Self { network, front: MelFrontEnd::new(bands), tokenizer })
    }

    /// Leaves encoding to another encoder, where there is one.
    pub(super) fn encode_with(self, encoder: Option<Arc<Encoder>>) -> Self {
        Self { network: self.network.encode_with(encoder), ..self }
    }

    /// Encodes windows as one batch.
    pub(super) fn encode(&self, windows: &[&Window]) -> Result<Encoded, String> {
        let size = self.front.bands() * FRAMES;
        let mut features = vec![0.0; windows.len() * size];
        for (window, out) in windows.iter().zip(features.chunks_exact_mut(size)) {
            self.front.compute(window.samples(), out);
        }
        self.network.encode(&mut features)
    }

    /// The language probabilities of each window of a batch.
    pub(super) fn detect(&self, encoded: &Encoded) -> Result<Vec<Vec<(String, f32)>>, String> {
        self.network.detect_language(encoded)
    }

    /// The words of each window of an encoded batch, with times in seconds of the recording.
    pub(super) fn decode(&self, encoded: &Encoded, members: &[Member<'_>]) -> Result<Vec<Vec<Word>>, String> {
        let heard = self.decode_once(encoded, members)?;
        members.iter().zip(heard).map(|(member, words)| self.cover(member, words, MAX_CUTS)).collect()
    }

    /// Search, gates and alignment, without a look at what was skipped.
    fn decode_once(&self, encoded: &Encoded, members: &[Member<'_>]) -> Result<Vec<Vec<Word>>, String> {
        let prompts: Vec<_> = members.iter().map(|m| self.prompt(m)).collect();
        let beams = members.first().map_or(1, |m| m.request.beams);
        let first = self.network.generate(encoded, &prompts, &Search::Beam(beams))?;
        let alone = members.len() == 1;
        let texts = members
            .iter()
            .zip(first)
            .map(|(member, hypothesis)| self.gate(member, hypothesis, alone.then_some(encoded)))
            .collect::<Result<Vec<_>, _>>()?;
        self.align(encoded, members, &texts)
    }

    /// Passes a first hypothesis or finds a better one; the empty text when there is no speech to hear.
    fn gate(&self, member: &Member<'_>, first: Hypothesis, encoded: Option<&Encoded>) -> Result<Vec<usize>, String> {
        let doubtful = !member.window.sure() || first.mean_log_prob < MIN_MEAN_LOG_PROB;
        if first.no_speech > MAX_NO_SPEECH && doubtful {
            return Ok(Vec::new());
        }
        if self.believable(&first) {
            return Ok(first.tokens);
        }
        let own;
        let encoded = match encoded {
            Some(encoded) => encoded,
            None => {
                own = self.encode(&[member.window])?;
                &own
            }
        };
        let prompt = [self.prompt(member)];
        let mut best = first;
        for temperature in TEMPERATURES {
            let sampled = self.network.generate(encoded, &prompt, &Search::Sample(temperature))?;
            let Some(next) = sampled.into_iter().next() else { break };
            if self.believable(&next) {
                return Ok(next.tokens);
            }
            if self.compression_ratio(&best) > MAX_COMPRESSION_RATIO || next.mean_log_prob > best.mean_log_prob {
                best = next;
            }
        }
        let kept = without_loop(&best.tokens).to_vec();
        Ok(kept)
    }

    fn believable(&self, hypothesis: &Hypothesis) -> bool {
        hypothesis.mean_log_prob >= MIN_MEAN_LOG_PROB
            && without_loop(&hypothesis.tokens).len() == hypothesis.tokens.len()
            && self.compression_ratio(hypothesis) <= MAX_COMPRESSION_RATIO
    }

    fn compression_ratio(&self, hypothesis: &Hypothesis) -> f32 {
        let text = self.tokenizer.decode(&hypothesis.tokens);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        packed.map_or(1.0, |packed| text.len() as f32 / packed.len().max(1) as f32)
    }

    /// Words with times. A batch is aligned language by language, because the engine takes one start sequence a call.
    fn align(&self, encoded: &Encoded, members: &[Member<'_>], texts: &[Vec<usize>]) -> Result<Vec<Vec<Word>>, String> {
        let frames: Vec<usize> = members.iter().map(|m| m.window.samples().len() / 160).collect();
        let mut by_start: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (i, member) in members.iter().enumerate() {
            if !texts[i].is_empty() {
                by_start.entry(self.start_sequence(member)).or_default().push(i);
            }
        }
        let mut heard = vec![Vec::new(); members.len()];
        for (start, indices) in by_start {
            let alignments = self.network.align(encoded, &start, texts, &frames)?;
            for i in indices {
                let Some(aligned) = alignments.get(i) else { return Err("the aligner left a window out".into()) };
                let found = words(&self.tokenizer, &texts[i], members[i].text_language(), aligned, members[i].window);
                heard[i] = without_notes(found);
            }
        }
        Ok(heard)
    }

    /// Decodes again what the first pass skipped: in parts where the text is too thin for the speech, otherwise the spans
    /// without a word.
    fn cover(&self, member: &Member<'_>, words: Vec<Word>, cuts: usize) -> Result<Vec<Word>, String> {
        let parts = if cuts > 0 { missed_parts(member.window, &words) } else { Vec::new() };
        if parts.len() > 1 {
            let mut apart = Vec::new();
            for part in &parts {
                apart.extend(self.hear_alone(&Member { window: part, ..*member }, cuts - 1)?);
            }
            if apart.len() > words.len() {
                return Ok(apart);
            }
        }
        let times: Vec<_> = words.iter().map(|w| (w.start_seconds, w.end_seconds)).collect();
        let skipped = member.window.uncovered(&times, MIN_UNCOVERED_SECONDS);
        if skipped.is_empty() || skipped.len() == member.window.spans().count() {
            return Ok(words);
        }
        self.fill(member, words, &skipped)
    }

    /// Adds the words of `skipped` spans, heard on their own.
    fn fill(&self, member: &Member<'_>, mut words: Vec<Word>, skipped: &[Span]) -> Result<Vec<Word>, String> {
        let window = member.window.extract(|span| skipped.contains(&span));
        let second = self.hear_alone(&Member { window: &window, ..*member }, 0)?;
        let new = unheard(&words, second, skipped);
        words.extend(new);
        words.sort_by(|a, b| a.start_seconds.total_cmp(&b.start_seconds));
        Ok(words)
    }

    fn hear_alone(&self, member: &Member<'_>, cuts: usize) -> Result<Vec<Word>, String> {
        let encoded = self.encode(&[member.window])?;
        let words = self.decode_once(&encoded, std::slice::from_ref(member))?.swap_remove(0);
        if cuts == 0 { Ok(words) } else { self.cover(member, words, cuts) }
    }

    fn prompt(&self, member: &Member<'_>) -> Vec<String> {
        let mut prompt = Vec::with_capacity(member.request.context.len() + 5);
        if !member.request.context.is_empty() {
            prompt.push("<|startofprev|>".to_owned());
            prompt.extend_from_slice(&member.request.context);
        }
        prompt.push("<|startoftranscript|>".to_owned());
        if self.tokenizer.multilingual() {
            prompt.push(format!("<|{}|>", member.language));
            prompt.push(task_token(member.request.task).to_owned());
        }
        prompt.push("<|notimestamps|>".to_owned());
        prompt
    }

    fn start_sequence(&self, member: &Member<'_>) -> Vec<usize> {
        let mut start = vec!["<|startoftranscript|>".to_owned()];
        if self.tokenizer.multilingual() {
            start.push(format!("<|{}|>", member.language));
            start.push(task_token(member.request.task).to_owned());
        }
        start.iter().filter_map(|token| self.tokenizer.special(token)).collect()
    }
}

fn task_token(task: Task) -> &'static str {
    match task {
        Task::Transcribe => "<|transcribe|>",
        Task::Translate => "<|translate|>",
    }
}

/// The parts of a window to be decoded on their own, because its words are too few for its speech: both halves, or what is
/// before, in and after a span that was missed. None where the words are enough.
fn missed_parts(window: &Window, words: &[Word]) -> Vec<Window> {
    let tokens = |word: &Word| word.text.len().div_ceil(4) as f64;
    let speech = window.speech_seconds();
    if speech >= MIN_RATED_SECONDS && words.iter().map(tokens).sum::<f64>() < speech * MIN_TOKENS_PER_SECOND {
        return window.halves().map_or_else(Vec::new, |(first, second)| vec![first, second]);
    }
    let spread: Vec<_> = words.iter().map(|w| (w.start_seconds, w.end_seconds, tokens(w))).collect();
    let Some(missed) = window.thinnest(&spread, MIN_RATED_SECONDS, MIN_TOKENS_PER_SECOND) else { return Vec::new() };
    let places = [Ordering::Less, Ordering::Equal, Ordering::Greater];
    let parts = places.map(|place| window.extract(|span| span.start.cmp(&missed.start) == place));
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// Mel bands that the model was trained on: 80, or 128 since large-v3. The preprocessor file says which; where a model
/// comes without one, Cantonese does, which is known since large-v3 too.
pub(super) fn mel_bands(model: &Path, tokenizer: &Tokenizer) -> Result<usize, String> {
    let path = model.join("preprocessor_config.json");
    let config: serde_json::Value = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|e| format!("preprocessor_config.json: {e}"))?,
        Err(_) => serde_json::Value::Null,
    };
    match config["feature_size"].as_u64() {
        Some(80) => Ok(80),
        Some(128) => Ok(128),
        Some(other) => Err(format!("preprocessor_config.json asks for {other} mel bands; 80 and 128 are known")),
        None if tokenizer.knows_language("yue") => Ok(128),
        None => Ok(80),
    }
}

/// The tokens up to the point where they begin to loop: a run of up to 12 tokens that stands four times in a row at the
/// end, of which one copy is kept.
fn without_loop(tokens: &[usize]) -> &[usize] {
    const COPIES: usize = 4;
    for size in 1..=12 {
        if tokens.len() < size * COPIES {
            break;
        }
        let tail = &tokens[tokens.len() - size..];
        let copies = tokens.rchunks_exact(size).take_while(|chunk| *chunk == tail).count();
        // "no, no, no, no" is speech; a word repeated eight times is not.
        if copies >= COPIES && copies * size >= 8 {
            return &tokens[..tokens.len() - (copies - 1) * size];
        }
    }
    tokens
}

/// Of the words that a second pass heard in `skipped` spans, those that the first pass did not hear. It may have heard
/// the words of a short span and aligned them into a neighbour: then they stand right before or right behind it.
fn unheard(first: &[Word], second: Vec<Word>, skipped: &[Span]) -> Vec<Word> {
    let middle = |word: &Word| word.start_seconds.midpoint(word.end_seconds);
    let mut second = second.into_iter().peekable();
    let mut new = Vec::with_capacity(second.len());
    for span in skipped {
        let here: Vec<Word> = std::iter::from_fn(|| second.next_if(|w| middle(w) <= span.end_seconds())).collect();
        let at = first.partition_point(|w| middle(w) < span.start_seconds());
        let before = &first[at.saturating_sub(here.len())..at];
        let behind = &first[at..first.len().min(at + here.len())];
        if !same_words(before, &here) && !same_words(behind, &here) {
            new.extend(here);
        }
    }
    new
}

fn same_words(a: &[Word], b: &[Word]) -> bool {
    let bare = |word: &Word| word.text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
    a.iter().map(bare).eq(b.iter().map(bare))
}

#[cfg(test)]
mod tests {
    use super::{super::tokenizer::tests::tokenizer, *};

    #[test]
    fn the_preprocessor_file_tells_the_mel_bands_and_without_one_the_languages() {
        let special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|yue|>", "<|translate|>"];
        let new = tokenizer(&[], &special);
        let old = tokenizer(&[], &special.map(|token| if token == "<|yue|>" { "<|su|>" } else { token }));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!((mel_bands(folder.path(), &new), mel_bands(folder.path(), &old)), (Ok(128), Ok(80)));
        let file = folder.path().join("preprocessor_config.json");
        for (config, bands) in [(r#"{"feature_size": 128}"#, Ok(128)), (r#"{"feature_size": 80}"#, Ok(80))] {
            std::fs::write(&file, config).unwrap();
            assert_eq!(mel_bands(folder.path(), &old), bands);
        }
        std::fs::write(&file, r#"{"feature_size": 64}"#).unwrap();
        assert!(mel_bands(folder.path(), &old).is_err_and(|reason| reason.contains("64 mel bands")));
    }

    #[test]
    fn a_loop_at_the_end_is_cut_to_one_copy() {
        assert_eq!(without_loop(&[9, 8, 1, 2, 1, 2, 1, 2, 1, 2]), [9, 8, 1, 2]);
        assert_eq!(without_loop(&[7; 20]), [7]);
    }

    #[test]
    fn a_word_said_four_times_is_no_loop() {
        assert_eq!(without_loop(&[5, 7, 7, 7, 7]).len(), 5);
        assert_eq!(without_loop(&[]).len(), 0);
    }

    /// Words of 0.3 s from `start` on.
    fn said(start: f64, text: &str) -> Vec<Word> {
        let word = |(i, text): (usize, &str)| {
            let start_seconds = start + 0.3 * i as f64;
            Word { text: text.into(), start_seconds, end_seconds: start_seconds + 0.3, confidence: 1.0 }
        };
        text.split(' ').enumerate().map(word).collect()
    }

    #[test]
    fn words_of_a_skipped_span_that_the_first_pass_put_beside_it_are_not_said_twice() {
        let skipped = [Span { start: 32_000, end: 48_000, sure: true }];
        let first = [said(0.5, "Are you ready? Yes, please."), said(4.0, "Good, then")].concat();
        assert_eq!(unheard(&first, said(2.1, "Yes please."), &skipped), []);
        assert_eq!(unheard(&first, said(2.1, "Good."), &skipped), []);
        assert_eq!(unheard(&first, said(2.1, "Ready."), &skipped), said(2.1, "Ready."));
        assert_eq!(unheard(&[], said(2.1, "Yes."), &skipped), said(2.1, "Yes."));
    }
}
