//! One call from its first sample to its transcript: signals flow through diarization and one track a party; at the end
//! words meet turns.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Engine, Options, Progress, Recording, Stage, TranscribeError, Transcription, Watch,
    front::Front,
    track::{History, Track},
};
use crate::{
    align::{self, SpokenWord},
    audio::{MAX_ECHO_DELAY, is_echo},
    diarize::{self, Diarization, SpeakerCount, Turn, Voice},
    net::NetError,
    normalize::{self, Provenance},
    transcript::QualityWarning,
    vad,
    voiceprint::{Known, Unusable, VoiceScore, Voiceprint},
    whisper::SessionOptions,
};

/// Words that the model believes less than this on average are worth a warning.
const MIN_CONFIDENCE: f32 = 0.6;

/// How much each speaker sounds like the voice that is known.
type Scores = Result<Vec<VoiceScore>, Unusable>;

/// The voices of a recording, while they are compared with one.
struct Voices<'e> {
    known: Result<Known, Unusable>,
    /// One a signal, where the diarizer does not tell voices apart: each party has a signal of its own.
    sessions: Vec<diarize::Session<'e>>,
}

/// A transcription under way.
pub(super) struct Call<'e, 'o, 'w> {
    engine: &'e Engine,
    options: &'o Options,
    front: Front,
    watch: Watch<'w>,
    tracks: Vec<Track<'e>>,
    /// Only where everybody is in one signal; gone when it failed.
    diarizer: Option<diarize::Session<'e>>,
    voices: Option<Voices<'e>>,
    warnings: Vec<QualityWarning>,
}

impl<'e, 'o, 'w> Call<'e, 'o, 'w> {
    pub(super) fn open(
        engine: &'e Engine,
        recording: Recording,
        options: &'o Options,
        watch: Watch<'w>,
    ) -> Result<Self, TranscribeError> {
        let front = Front::open(recording, options)?;
        let open = |voiceprint: &Arc<Voiceprint>| voiceprint.open(engine.diarizer.voice_model());
        let voices =
            options.voiceprint.as_ref().map(|voiceprint| Voices { known: open(voiceprint), sessions: Vec::new() });
        let (tracks, warnings) = (Vec::new(), Vec::new());
        Ok(Self { engine, options, front, watch, tracks, diarizer: None, voices, warnings })
    }

    /// Runs the call to its end.
    pub(super) fn run(mut self) -> Result<Transcription, TranscribeError> {
        while let Some(signals) = self.front.next()? {
            self.check_cancelled()?;
            self.push(&signals)?;
            self.advance(false)?;
        }
        for track in &mut self.tracks {
            track.end().map_err(|e| stage("voice activity", &e))?;
        }
        self.advance(true)?;
        for track in &mut self.tracks {
            track.finish();
        }
        // The last windows are still being recognised: their cores are not waited for.
        let (diarized, voices) = self.diarized();
        while self.tracks.iter().any(|t| t.pending() > 0) {
            self.collect(true)?;
        }
        self.conclude(diarized, voices)
    }

    fn check_cancelled(&self) -> Result<(), TranscribeError> {
        if self.watch.cancelled.load(Ordering::Relaxed) { Err(TranscribeError::Cancelled) } else { Ok(()) }
    }

    fn push(&mut self, signals: &[Vec<f32>]) -> Result<(), TranscribeError> {
        if self.tracks.is_empty() {
            let options = self.session_options();
            let level = self.options.stages.level;
            self.tracks = signals.iter().map(|_| Track::new(self.engine, &options, level)).collect();
            let one_speaker = self.options.speakers.max() == 1;
            self.diarizer = (!self.front.split() && !one_speaker).then(|| self.engine.diarizer.session());
            if let (None, Some(voices)) = (&self.diarizer, &mut self.voices) {
                voices.listen(&self.engine.diarizer, signals.len());
            }
        }
        if let Some(voices) = &mut self.voices {
            voices.push(signals);
        }
        for (track, signal) in self.tracks.iter_mut().zip(signals) {
            track.push(signal).map_err(|e| stage("voice activity", &e))?;
        }
        if let Some(diarizer) = &mut self.diarizer
            && diarizer.push(&signals[0]).is_err()
        {
            self.diarization_failed();
        }
        Ok(())
    }

    /// The words are worth more than the names on them: the call goes on, and all speech is one speaker's.
    fn diarization_failed(&mut self) {
        self.diarizer = None;
        self.warnings.push(QualityWarning::DiarizationFailed);
        if let Some(voices) = &mut self.voices {
            voices.fail();
        }
    }

    fn session_options(&self) -> SessionOptions {
        let Options { language, task, beams, initial_prompt, hotwords, .. } = self.options.clone();
        SessionOptions { language, task, beams, initial_prompt, hotwords }
    }

    /// Hands spans of speech to the recognisers, as far as turns are known, and forgets audio that nobody needs.
    fn advance(&mut self, last: bool) -> Result<(), TranscribeError> {
        for i in 0..self.tracks.len() {
            loop {
                let changes = self.diarizer.as_ref().map(diarize::Session::change_points);
                let known_until = changes.filter(|_| !last).map_or(f64::INFINITY, |changes| changes.known_until);
                let Some(span) = self.tracks[i].next_span(known_until) else { break };
                if self.echo(i, &span) {
                    self.warnings.push(QualityWarning::Echo);
                    continue;
                }
                self.tracks[i].recognise(&span, changes.map_or(&[], |changes| changes.times));
            }
            self.collect(false)?;
        }
        let needed = self.tracks.iter().map(Track::needed_from).min().unwrap_or(0);
        for track in &mut self.tracks {
            track.forget_before(needed.saturating_sub(MAX_ECHO_DELAY as u64));
        }
        Ok(())
    }

    /// Whether a span of one party's channel is another party, heard through the line.
    fn echo(&self, track: usize, span: &vad::Span) -> bool {
        let from = span.start.saturating_sub(MAX_ECHO_DELAY as u64);
        let own = || History::range(self.tracks[track].history(), span.start, span.end);
        let others = self.tracks.iter().enumerate().filter(|(i, _)| *i != track);
        let mut echo = false;
        for (_, other) in others {
            echo = echo || is_echo(&other.history().range(from, span.end), &own());
        }
        echo
    }

    fn collect(&mut self, all: bool) -> Result<(), TranscribeError> {
        for track in &mut self.tracks {
            track.collect(all, self.watch.cancelled)?;
        }
        let recognised = self.tracks.iter().filter(|t| t.pending() > 0).map(Track::recognised_until);
        let done_seconds = recognised.fold(self.front.seconds(), f64::min);
        let total_seconds = self.front.announced_seconds();
        (self.watch.progress)(Progress { stage: Stage::Recognising, done_seconds, total_seconds });
        Ok(())
    }

    /// Words meet turns.
    fn conclude(
        mut self,
        diarized: Option<Vec<Turn>>,
        voices: Option<Scores>,
    ) -> Result<Transcription, TranscribeError> {
        let duration = self.front.seconds();
        let split = self.front.split();
        let embedding = diarized.is_some().then(|| self.engine.embedding_name.clone());
        let turns = diarized.unwrap_or_else(|| self.speech());
        let mut words = Vec::new();
        for (channel, track) in self.tracks.iter_mut().enumerate() {
            track.heard.sort_by_key(|heard| heard.index);
            for heard in track.heard.drain(..) {
                let speaker = split.then_some(channel);
                words
                    .extend(heard.words.into_iter().map(|word| SpokenWord::new(word, heard.language.clone(), speaker)));
            }
        }
        align::assign(&mut words, &turns);
        let mut warnings = self.front.warnings();
        warnings.append(&mut self.warnings);
        warnings.extend(judge(&words));
        let provenance = Provenance { whisper: self.engine.whisper_name.clone(), embedding, channels: split };
        let transcript = normalize::transcript(words, duration, warnings, &provenance);
        Ok(Transcription { transcript, turns, voices })
    }

    /// The turns that the diarization found; `None` where none was asked for, it failed, or it heard nobody. And what the voices score.
    fn diarized(&mut self) -> (Option<Vec<Turn>>, Option<Scores>) {
        let found = self.diarize();
        let voices = self.voices.take().map(|voices| voices.scores(found.as_ref().map(|found| &found.voices[..])));
        (found.map(|found| found.turns), voices)
    }

    fn diarize(&mut self) -> Option<Diarization> {
        let diarizer = self.diarizer.take()?;
        let duration = self.front.seconds();
        (self.watch.progress)(Progress {
            stage: Stage::Diarizing,
            done_seconds: duration,
            total_seconds: Some(duration),
        });
        match diarizer.finish(self.options.speakers) {
            Ok(found) => Some(found).filter(|found| !found.turns.is_empty()),
            Err(_) => {
                self.diarization_failed();
                None
            }
        }
    }

    /// The speech of each party's signal as its turns.
    fn speech(&self) -> Vec<Turn> {
        let speech =
            self.tracks.iter().enumerate().flat_map(|(speaker, track)| {
                track.speech.iter().map(move |&(start, end)| Turn { speaker, start, end })
            });
        let mut turns: Vec<Turn> = speech.collect();
        turns.sort_by(|a, b| a.start.total_cmp(&b.start));
        turns
    }
}

impl<'e> Voices<'e> {
    fn listen(&mut self, diarizer: &'e diarize::Diarizer, signals: usize) {
        if self.known.is_ok() {
            self.sessions = (0..signals).map(|_| diarizer.session()).collect();
        }
    }

    fn push(&mut self, signals: &[Vec<f32>]) {
        if self.sessions.iter_mut().zip(signals).any(|(session, signal)| session.push(signal).is_err()) {
            self.fail();
        }
    }

    /// The words are worth more than whose they are.
    fn fail(&mut self) {
        if self.known.is_ok() {
            self.known = Err(Unusable::Unheard);
        }
        self.sessions.clear();
    }

    /// How much each speaker sounds like the one that is known: those whom the diarizer told apart, or the parties.
    fn scores(mut self, told_apart: Option<&[Voice]>) -> Scores {
        let known = self.known?;
        if let Some(voices) = told_apart {
            return Ok(known.scores(voices.iter().enumerate()));
        }
        let parties: Result<Vec<_>, NetError> = self.sessions.drain(..).map(party).collect();
        let parties = parties.map_err(|_| Unusable::Unheard)?;
        Ok(known.scores(parties.iter().enumerate().filter_map(|(speaker, voice)| Some((speaker, voice.as_ref()?)))))
    }
}

/// Whose signal it is: whoever speaks most in it, because the other party's echo is in it as well.
fn party(session: diarize::Session<'_>) -> Result<Option<Voice>, NetError> {
    let voices = session.finish(SpeakerCount::default())?.voices;
    Ok(voices.into_iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)))
}

/// What the words themselves say about their quality.
fn judge(words: &[SpokenWord]) -> Vec<QualityWarning> {
    let mut warnings = Vec::new();
    if words.is_empty() {
        return vec![QualityWarning::NoSpeech];
    }
    let confidence = words.iter().map(|w| w.word.confidence).sum::<f32>() / words.len() as f32;
    if confidence < MIN_CONFIDENCE {
        warnings.push(QualityWarning::LowConfidence);
    }
    if words.iter().any(|w| w.language != words[0].language) {
        warnings.push(QualityWarning::LanguageSwitch);
    }
    if words.iter().all(|w| w.speaker == words[0].speaker) {
        warnings.push(QualityWarning::OneSpeaker);
    }
    warnings
}

fn stage(stage: &'static str, error: &crate::net::NetError) -> TranscribeError {
    TranscribeError::Stage { stage, reason: error.to_string() }
}
