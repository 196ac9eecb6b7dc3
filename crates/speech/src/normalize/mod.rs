//! Words to the transcript that people read: segments of one speaker each, stable ids, stutters cleaned.
//!
//! Invariant: the same words give the same ids, whatever order they came in.

mod stutters;

use self::stutters::without_stutters;
use crate::{
    align::{ALIGNMENT_VERSION, SpokenWord},
    transcript::{
        LabelSource, Pipeline, QualityWarning, Role, SCHEMA_VERSION, Segment, Speaker, SpeakerResolution, Transcript,
        Word,
    },
    writing::{ends_sentence, is_spaced, unspaced},
};

/// The version of these rules, for the transcript.
pub const NORMALIZATION_VERSION: u32 = 1;

/// A pause in seconds after which the same speaker starts a new segment.
const SEGMENT_PAUSE: f64 = 1.5;
/// A segment of this many seconds ends with its sentence: longer paragraphs are hard to read.
const LONG_SEGMENT: f64 = 30.0;
/// A segment of this many seconds ends in any case: text without punctuation, which the model writes for some languages
/// and accents, would else make one paragraph of an hour.
const MAX_SEGMENT: f64 = 60.0;
/// Spoken into another's words, a sentence goes on in its segment over a pause of this many seconds.
const OVERLAP_PAUSE: f64 = 0.8;

/// What made the words.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The Whisper model.
    pub whisper: String,
    /// The embedding model, where voices were told apart by one.
    pub embedding: Option<String>,
    /// Whether each party had a channel.
    pub channels: bool,
}

/// A segment in the making; it has at least one word.
struct Draft {
    speaker: usize,
    words: Vec<SpokenWord>,
    /// The latest end of its words, in seconds.
    end: f64,
}

impl Draft {
    fn new(speaker: usize, word: SpokenWord) -> Self {
        Self { speaker, end: word.word.end_seconds, words: vec![word] }
    }

    fn push(&mut self, word: SpokenWord) {
        self.end = self.end.max(word.word.end_seconds);
        self.words.push(word);
    }

    fn start(&self) -> f64 {
        self.words[0].word.start_seconds
    }

    fn mid_sentence(&self) -> bool {
        self.words.last().is_some_and(|w| !ends_sentence(&w.word.text))
    }

    /// Whether the next word of its speaker belongs to it; `last` where nobody has spoken since.
    fn takes(&self, word: &Word, last: bool) -> bool {
        let pause = word.start_seconds - self.end;
        let length = self.end - self.start();
        if length >= MAX_SEGMENT {
            return false;
        }
        if last {
            pause <= SEGMENT_PAUSE && (self.mid_sentence() || length < LONG_SEGMENT)
        } else {
            self.mid_sentence() && pause <= OVERLAP_PAUSE
        }
    }
}

/// Builds the transcript from words that all have a speaker.
pub fn transcript(
    mut words: Vec<SpokenWord>,
    duration: f64,
    mut warnings: Vec<QualityWarning>,
    provenance: &Provenance,
) -> Transcript {
    words.sort_by(|a, b| {
        let key = |w: &SpokenWord| (w.word.start_seconds, w.word.end_seconds);
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal).then(a.speaker.cmp(&b.speaker))
    });
    let language = main_language(&words);
    let drafts = drafts(words);
    let order = appearance(&drafts);
    let speakers: Vec<Speaker> =
        order.iter().enumerate().map(|(i, &source)| speaker(i, source, provenance.channels)).collect();
    let segments: Vec<Segment> = drafts
        .iter()
        .enumerate()
        .filter_map(|(i, draft)| {
            let speaker = &speakers[order.iter().position(|&s| s == draft.speaker)?];
            Some(segment(i, draft, speaker))
        })
        .collect();
    warnings.sort_by_key(|w| *w as u8);
    warnings.dedup();
    let paragraph = |s: &Segment| format!("{}: {}", s.speaker, s.text);
    Transcript {
        schema_version: SCHEMA_VERSION,
        call_id: None,
        language,
        duration_seconds: milliseconds(duration),
        clean_text: segments.iter().map(paragraph).collect::<Vec<_>>().join("\n\n"),
        speaker_resolution: SpeakerResolution { total_speaker_count: speakers.len(), ..SpeakerResolution::default() },
        speakers,
        segments,
        pipeline: Pipeline {
            transcription_provider: "local".into(),
            transcription_model: provenance.whisper.clone(),
            diarization_provider: if provenance.channels { "channels" } else { "local" }.into(),
            diarization_model: provenance.embedding.clone(),
            alignment_version: ALIGNMENT_VERSION,
            normalization_version: NORMALIZATION_VERSION,
            status: "COMPLETED".into(),
            warnings,
        },
        created_at: None,
    }
}

/// The name that the diarization gives to a speaker.
pub fn source_speaker_id(speaker: usize, channels: bool) -> String {
    if channels { format!("CHANNEL_{speaker}") } else { format!("SPEAKER_{speaker:02}") }
}

/// Words in time order to segments. Who is spoken into goes on in the same segment as long as the sentence does.
fn drafts(words: Vec<SpokenWord>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for word in words {
        let speaker = word.speaker.unwrap_or(0);
        let last = drafts.len().saturating_sub(1);
        let open = drafts.iter_mut().enumerate().rev().take(4).find(|(_, d)| d.speaker == speaker);
        match open.filter(|(i, draft)| draft.takes(&word.word, *i == last)) {
            Some((_, draft)) => draft.push(word),
            None => drafts.push(Draft::new(speaker, word)),
        }
    }
    for draft in &mut drafts {
        draft.words = without_stutters(std::mem::take(&mut draft.words));
    }
    drafts.sort_by(|a, b| a.start().total_cmp(&b.start()));
    drafts
}

/// Speakers by first appearance.
fn appearance(drafts: &[Draft]) -> Vec<usize> {
    let mut order = Vec::new();
    for draft in drafts {
        if !order.contains(&draft.speaker) {
            order.push(draft.speaker);
        }
    }
    order
}

fn speaker(index: usize, source: usize, channels: bool) -> Speaker {
    Speaker {
        speaker_id: format!("spk_{}", index + 1),
        source_speaker_id: source_speaker_id(source, channels),
        label: format!("Speaker {}", index + 1),
        display_name: None,
        role: Role::Unknown,
        confidence: None,
        label_source: LabelSource::Diarization,
        voice_match_score: None,
        name_by_person: false,
        role_by_person: false,
    }
}

fn segment(index: usize, draft: &Draft, speaker: &Speaker) -> Segment {
    let inside = draft.words.iter().filter(|w| w.inside).count();
    let words: Vec<Word> = draft.words.iter().map(|w| rounded(&w.word)).collect();
    Segment {
        id: format!("seg_{:04}", index + 1),
        speaker: speaker.label.clone(),
        speaker_id: speaker.speaker_id.clone(),
        source_speaker_id: speaker.source_speaker_id.clone(),
        role: speaker.role,
        start_seconds: milliseconds(draft.start()),
        end_seconds: milliseconds(draft.end),
        text: join(&draft.words),
        language: main_language(&draft.words),
        alignment_confidence: inside as f32 / draft.words.len() as f32,
        words,
    }
}

/// Words as text. Languages written without spaces are joined without, but for Latin words that follow each other.
fn join(words: &[SpokenWord]) -> String {
    let mut text = String::new();
    for SpokenWord { word, language, .. } in words {
        let spaced = !unspaced(language) || (text.ends_with(is_spaced) && word.text.starts_with(is_spaced));
        if !text.is_empty() && spaced {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

fn main_language(words: &[SpokenWord]) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(language, _)| *language == word.language) {
            Some((_, count)) => *count += 1,
            None => counts.push((&word.language, 1)),
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map(|(language, _)| (*language).to_owned())
}

fn rounded(word: &Word) -> Word {
    Word {
        start_seconds: milliseconds(word.start_seconds),
        end_seconds: milliseconds(word.end_seconds),
        ..word.clone()
    }
}

/// Times are exact to a frame of 20 ms; more digits would only look exact.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(speaker: usize, start: f64, text: &str) -> Vec<SpokenWord> {
        let each = 0.3;
        text.split(' ')
            .enumerate()
            .map(|(i, text)| SpokenWord {
                word: Word {
                    text: text.into(),
                    start_seconds: start + i as f64 * each,
                    end_seconds: start + (i + 1) as f64 * each,
                    confidence: 0.9,
                },
                language: "en".into(),
                speaker: Some(speaker),
                inside: true,
            })
            .collect()
    }

    fn build(words: Vec<SpokenWord>) -> Transcript {
        let provenance = Provenance { whisper: "base".into(), embedding: None, channels: true };
        transcript(words, 60.0, Vec::new(), &provenance)
    }

    fn texts(words: Vec<SpokenWord>) -> Vec<String> {
        build(words).segments.into_iter().map(|s| format!("{} {}", s.speaker_id, s.text)).collect()
    }

    #[test]
    fn ids_follow_first_appearance_whatever_order_words_come_in() {
        let mut words = say(7, 0.0, "Hello there.");
        words.extend(say(3, 2.0, "Good morning."));
        let forward = build(words.clone());
        words.reverse();
        assert_eq!(build(words), forward);
        assert_eq!(forward.segments[0].id, "seg_0001");
        assert_eq!(forward.segments[1].source_speaker_id, "CHANNEL_3");
        assert_eq!(forward.speakers[0].speaker_id, "spk_1");
        assert_eq!(forward.clean_text, "Speaker 1: Hello there.\n\nSpeaker 2: Good morning.");
    }

    #[test]
    fn a_long_pause_starts_a_new_segment_and_a_short_one_does_not() {
        let mut words = say(0, 0.0, "One two.");
        words.extend(say(0, 1.5, "Three."));
        words.extend(say(0, 5.0, "Four."));
        assert_eq!(texts(words), ["spk_1 One two. Three.", "spk_1 Four."]);
    }

    #[test]
    fn a_sentence_that_is_spoken_into_stays_whole() {
        let mut words = say(0, 0.0, "We could meet on Friday at eleven.");
        words.extend(say(1, 0.7, "Mhm."));
        assert_eq!(texts(words), ["spk_1 We could meet on Friday at eleven.", "spk_2 Mhm."]);
    }

    #[test]
    fn a_sentence_ends_behind_its_closing_quote_and_in_any_script() {
        for end in ["\"Go.\"", "हाँ।", "ہاں۔", "نعم؟", "So…"] {
            let mut words = say(0, 0.0, end);
            words.extend(say(1, 0.4, "Mhm."));
            words.extend(say(0, 0.8, "Next."));
            assert_eq!(texts(words)[2], "spk_1 Next.", "{end}");
        }
    }

    #[test]
    fn text_without_punctuation_is_cut_into_segments_of_a_minute() {
        let segments = build(say(0, 0.0, &["so"; 1_000].join(" "))).segments;
        assert_eq!(segments.len(), 5);
        assert!(segments.iter().all(|s| s.end_seconds - s.start_seconds < 60.5));
    }

    #[test]
    fn stutters_are_cleaned_and_meant_repetition_stays() {
        assert_eq!(texts(say(0, 0.0, "I I I th- think it is is fine")), ["spk_1 I think it is fine"]);
        assert_eq!(
            texts(say(0, 0.0, "No, no, that that was very very good")),
            ["spk_1 No, no, that that was very very good"]
        );
    }

    #[test]
    fn latin_words_in_a_text_without_spaces_keep_theirs() {
        let mut words = say(0, 0.0, "我 们 用 Google Meet 开 会, OK?");
        words.iter_mut().for_each(|w| w.language = "zh".into());
        assert_eq!(texts(words), ["spk_1 我们用Google Meet开会, OK?"]);
    }

    #[test]
    fn silence_gives_an_empty_transcript() {
        let empty = build(Vec::new());
        assert!(empty.segments.is_empty() && empty.speakers.is_empty() && empty.clean_text.is_empty());
        assert_eq!(empty.language, None);
    }
}
