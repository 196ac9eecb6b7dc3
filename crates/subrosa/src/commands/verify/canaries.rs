//! What `subrosa verify` gives the service to keep: a word of its own for each place where people write, and recordings whose bytes are
//! known. Its one invariant: each is made for this run and reported by its name, never by itself.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use server::verify::needles::{Needle, word};
use uuid::Uuid;

/// Of what a person types or a program sends. Letters alone but for the phone number.
const WORDS: [&str; 37] = [
    "accepted person's name",
    "accepted person's password",
    "action item's description",
    "action item's place",
    "action item's title",
    "API key's name",
    "bearer token",
    "body of a bad request",
    "contact's e-mail address",
    "contact's name",
    "contact's notes",
    "contact's organization",
    "cookie",
    "e-mail address",
    "file name",
    "hold's reason",
    "idempotency key",
    "invited e-mail address",
    "new password",
    "notes",
    "organization",
    "password",
    "path",
    "person's name",
    "query",
    "recording's header",
    "second contact's name",
    "second invited e-mail address",
    "segment's text",
    "speaker's name",
    "summary",
    "tenant's name",
    "title",
    "user agent",
    "webhook's address",
    "webhook's description",
    "wrong password",
];

/// What the transcript says. Words that were replaced by a correction are looked for as well.
const SPOKEN: [&str; 2] = ["spoken word", "other spoken word"];

/// The phone number among the canaries.
const PHONE: &str = "phone number";

/// The recordings among the canaries.
pub(super) const RECORDING: &str = "recording";

/// What has to be found in tables and in their log: the id of the call, which is no secret, as PostgreSQL writes it.
pub(super) const CONTROL: &str = "control";

/// What the configuration has for the endpoint of analysis: the one secret that the service tells somebody else.
const KEY: &str = "key of the analysis";

/// Bytes of a key below which it is no secret: some servers want any word, which is in files that nobody leaked it into.
const LEAST_KEY: usize = 16;

/// Bytes of a voice's recording that are looked for, 1 ms at 16 kHz, and from one such place to the next: 32 ms.
const PLACE: usize = 2 * PERIOD;
const PLACES: usize = 1024;

/// Samples of a recording: three seconds at 16 kHz.
const SAMPLES: usize = 48_000;

/// Samples after which a recording repeats itself: 1 ms, so that any kilobyte of it holds what is looked for.
const PERIOD: usize = 16;

/// All of a run.
pub(super) struct Canaries {
    words: BTreeMap<&'static str, String>,
    period: Vec<i16>,
    key: Option<SecretString>,
    /// A recording of somebody who speaks.
    voice: Option<Vec<u8>>,
}

impl Canaries {
    /// Of a run on an installation with that key, and with the recording of a voice.
    pub(super) fn new(key: Option<SecretString>, voice: Option<Vec<u8>>) -> Self {
        let mut words: BTreeMap<_, _> = WORDS.into_iter().chain(SPOKEN).map(|what| (what, word())).collect();
        // Eleven digits after the country's, as Berlin might have it.
        words.insert(PHONE, format!("30{:09}", Uuid::new_v4().as_u128() % 1_000_000_000));
        let period: Vec<u8> = [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
        let period = period.chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).take(PERIOD).collect();
        Self { words, period, key, voice }
    }

    /// The words by name, to be put into requests.
    pub(super) fn words(&self) -> &BTreeMap<&'static str, String> {
        &self.words
    }

    /// One of them.
    pub(super) fn word(&self, what: &str) -> &str {
        self.words.get(what).map_or("", |word| word)
    }

    /// Everything to look for; besides, the id of a call as a control.
    pub(super) fn needles(&self, control: Option<Uuid>) -> Vec<Needle> {
        let mut needles: Vec<_> = self.words.iter().map(|(what, word)| Needle::text(what, word)).collect();
        // As it came, and as samples that a decoder gives.
        needles.push(Needle::bytes(RECORDING, &self.samples(PERIOD)).or(decoded(&self.samples(PERIOD))));
        needles.extend(self.voice.iter().flat_map(|voice| of_voice(voice)));
        let key = self.key.as_ref().map(ExposeSecret::expose_secret).filter(|key| key.len() >= LEAST_KEY);
        needles.extend(key.map(|key| Needle::text(KEY, key)));
        needles.extend(control.map(|id| Needle::exactly(CONTROL, id.as_bytes())));
        needles
    }

    fn samples(&self, count: usize) -> Vec<u8> {
        self.period.iter().cycle().take(count).flat_map(|sample| sample.to_le_bytes()).collect()
    }

    /// A WAV file with a canary in a chunk that readers skip (RIFF's own `JUNK`), and in each of its samples. Another number makes
    /// another recording.
    pub(super) fn recording(&self, number: u32) -> Vec<u8> {
        let words = self.word("recording's header");
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        let samples = self.samples(SAMPLES);
        let junk = [words.as_bytes(), &number.to_le_bytes()].concat();
        let mut wav = b"WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wav.extend([size(16_000), size(32_000)].concat());
        wav.extend(b"\x02\0\x10\0JUNK");
        wav.extend([&size(junk.len()), &junk[..]].concat());
        wav.extend([b"data", &size(samples.len())[..], &samples].concat());
        [b"RIFF", &size(wav.len())[..], &wav].concat()
    }

    /// The recording of a voice, which a profile can be made of, or one of a tone, which is refused.
    pub(super) fn voice(&self) -> Vec<u8> {
        self.voice.clone().unwrap_or_else(|| self.recording(0))
    }

    pub(super) fn has_voice(&self) -> bool {
        self.voice.is_some()
    }

    /// An analysis that cites the spoken words.
    pub(super) fn analysis(&self) -> serde_json::Value {
        let said = self.word(SPOKEN[0]);
        serde_json::json!({"schemaVersion": 3, "oneLineSummary": said, "decisions": [{"text": said, "sourceSegmentIds": ["seg_0001"]}]})
    }

    /// A transcript in which the spoken words are said.
    pub(super) fn transcript(&self) -> serde_json::Value {
        let (said, other) = (self.word(SPOKEN[0]), self.word(SPOKEN[1]));
        serde_json::json!({"schemaVersion": 2, "language": "en", "durationSeconds": 3.0, "cleanText": format!("{said} {other}"),
            "speakers": [{"speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_1", "label": "Speaker 1", "displayName": null,
                "role": "UNKNOWN", "confidence": null, "labelSource": "DIARIZATION", "voiceMatchScore": null}],
            "segments": [{"id": "seg_0001", "speaker": "Speaker 1", "speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_1",
                "role": "UNKNOWN", "startSeconds": 0.5, "endSeconds": 2.5, "text": format!("{said} {other}"),
                "alignmentConfidence": 1.0, "words": [
                    {"text": said, "startSeconds": 0.5, "endSeconds": 1.5, "confidence": 0.5},
                    {"text": other, "startSeconds": 1.5, "endSeconds": 2.5, "confidence": 0.5}]}],
            "speakerResolution": {"strategyVersion": 0, "usedUserDisplayName": false, "usedContactName": false,
                "usedDirection": false, "usedPhoneFallback": false, "voiceEmbeddingEnabled": false, "voiceProfileUsed": false,
                "voiceMatchStatus": null, "totalSpeakerCount": 1, "resolvedSpeakerCount": 0, "warnings": []},
            "pipeline": {"transcriptionProvider": "local", "transcriptionModel": "base", "diarizationProvider": "channels",
                "diarizationModel": null, "alignmentVersion": 1, "normalizationVersion": 1, "status": "COMPLETED", "warnings": []}})
    }
}

/// Places of a WAV file whose samples differ so much that nothing else has the same by chance.
fn of_voice(wav: &[u8]) -> impl Iterator<Item = Needle> {
    let start = wav.windows(4).position(|window| window == b"data").map_or(0, |at| at + 8);
    let places = wav.get(start..).unwrap_or_default().chunks_exact(PLACES).map(|chunk| &chunk[..PLACE]);
    let has_sound = |place: &&[u8]| place.chunks(2).collect::<BTreeSet<_>>().len() > PERIOD * 3 / 4;
    places.filter(has_sound).map(|place| Needle::bytes(RECORDING, place).or(decoded(place)))
}

/// The samples as decoders give them.
fn decoded(samples: &[u8]) -> Vec<u8> {
    let (samples, _) = samples.as_chunks::<2>();
    samples.iter().flat_map(|sample| (f32::from(i16::from_le_bytes(*sample)) / 32768.0).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use server::verify::search::{Search, Searched};

    use super::*;

    #[test]
    fn every_canary_and_every_part_of_a_recording_is_found() {
        let canaries = Canaries::new(None, None);
        let search = Search::new(&canaries.needles(None)).unwrap();
        let wav = canaries.recording(1);
        for from in (0..wav.len() - 1024).step_by(1000) {
            let mut searched = Searched::default();
            search.stream("here", &wav[from..from + 1024], &mut searched).unwrap();
            assert!(searched.found(RECORDING), "at {from}");
        }
        let mut searched = Searched::default();
        let text = canaries.words().values().map(String::as_str).collect::<Vec<_>>().join(" ");
        search.stream("here", text.as_bytes(), &mut searched).unwrap();
        assert!(canaries.words().keys().all(|what| searched.found(what)), "{searched:?}");
    }

    #[test]
    fn the_key_of_the_analysis_and_a_voice_are_found_and_a_word_for_a_key_is_not_looked_for() {
        let found = |canaries: &Canaries, text: &[u8]| {
            let mut searched = Searched::default();
            Search::new(&canaries.needles(None)).unwrap().stream("here", text, &mut searched).unwrap();
            [KEY, RECORDING].map(|what| searched.found(what))
        };
        // Another run's recording stands for a voice, and its samples are as different as those of one.
        let (key, voice) = (server::verify::needles::word(), Canaries::new(None, None).recording(1));
        let canaries = Canaries::new(Some(key.as_str().into()), Some(voice.clone()));
        assert_eq!(found(&canaries, key.as_bytes()), [true, false]);
        assert_eq!(found(&canaries, &voice[2000..4000]), [false, true]);
        assert_eq!(found(&Canaries::new(Some("ollama".into()), None), b"ollama"), [false, false]);
    }

    #[test]
    fn the_transcript_is_one() {
        let transcript: speech::transcript::Transcript =
            serde_json::from_value(Canaries::new(None, None).transcript()).unwrap();
        assert_eq!(transcript.segments.len(), 1);
    }
}
