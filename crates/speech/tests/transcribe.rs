//! A recording goes in, a transcript comes out: the whole engine on the real call, on scripted calls where they are at
//! hand, and on sounds that are not speech. Whisper base everywhere, the model that the targets are stated for.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]

#[expect(unused, reason = "integers are not needed here")]
#[path = "../../../xtask/src/onnx.rs"]
mod onnx;
mod signals;

use std::{
    collections::BTreeSet,
    fs::File,
    io::Cursor,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest as _, Sha256};
use signals::{model, music, noise, sample, sample_call, tone};
use speech::{
    audio::Source,
    diarize::SpeakerCount,
    metrics::{Scoring, diarization_errors, normalize_words, parse_rttm, parse_stm, word_errors},
    transcribe::{
        Channels, Device, Engine, EngineOptions, ModelPaths, Options, Task, TranscribeError, Transcription, Watch,
    },
    transcript::{QualityWarning, Transcript},
    voiceprint::{Unusable, Voiceprint},
};
use zeroize::Zeroizing;

/// One engine for all tests, as in a service: they run side by side and share its recognisers.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| engine(model("ge2e/ge2e.onnx")));

fn engine(embedding: PathBuf) -> Engine {
    let paths = ModelPaths {
        whisper: model("whisper-base"),
        whisper_name: "base".into(),
        vad: model("silero-vad/silero_vad_16k_sequence.onnx"),
        segmentation: model("pyannote-segmentation-3.0/segmentation-3.0.onnx"),
        embedding,
        embedding_name: "ge2e".into(),
    };
    Engine::load(&paths, &EngineOptions { threads: 2, device: Device::Cpu }).unwrap()
}

fn transcribe(source: Source, options: &Options) -> Result<Transcription, TranscribeError> {
    transcribe_on(&ENGINE, source, options)
}

fn transcribe_on(engine: &Engine, source: Source, options: &Options) -> Result<Transcription, TranscribeError> {
    engine.transcribe(source, options, Watch { progress: &mut |_| {}, cancelled: &AtomicBool::new(false) })
}

fn open(path: &Path) -> Source {
    Source::File { file: File::open(path).unwrap(), path: path.to_owned() }
}

/// A WAV file, 16 bit, of channels at 16 kHz.
fn wav(channels: &[&[f32]]) -> Source {
    let frames = channels[0].len();
    let size = (frames * channels.len() * 2) as u32;
    let mut file = Vec::with_capacity(size as usize + 44);
    file.extend(b"RIFF");
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend((channels.len() as u16).to_le_bytes());
    file.extend(16_000u32.to_le_bytes());
    file.extend((32_000 * channels.len() as u32).to_le_bytes());
    file.extend((2 * channels.len() as u16).to_le_bytes());
    file.extend(16u16.to_le_bytes());
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    for i in 0..frames {
        for channel in channels {
            file.extend(((channel[i].clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes());
        }
    }
    Source::Stream(Box::new(Cursor::new(file)))
}

fn two_speakers() -> Options {
    Options { language: Some("en".into()), speakers: SpeakerCount::exactly(2).unwrap(), ..Options::default() }
}

fn text(transcript: &Transcript) -> String {
    transcript.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Words with contractions written out, as Whisper's English normaliser does.
fn english(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let text = [("n't", " not"), ("i'm", "i am"), ("there's", "there is"), ("'s", ""), ("oh, ", "")]
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to));
    normalize_words(&text)
}

/// Recordings that are not part of the repository; their tests say so and pass where they are missing.
fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SUBROSA_AUDIO").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/audio"));
    let path = root.join(name);
    if !path.exists() {
        println!("skipped: {name} is not at hand (SUBROSA_AUDIO)");
        return None;
    }
    Some(path)
}

#[test]
fn the_real_call_is_read_with_the_right_words_and_turns() {
    let found = transcribe(open(&sample("sample.wav")), &two_speakers()).unwrap();
    let lines = parse_stm(&std::fs::read_to_string(sample("sample.stm")).unwrap()).unwrap();
    let spoken = lines.iter().map(|l| l.text.as_str()).collect::<Vec<_>>().join(" ");
    let errors = word_errors(&english(&spoken), &english(&text(&found.transcript)));
    assert!(errors.rate() <= 0.15, "WER {:.3}; 12.6 % with Whisper's own normaliser", errors.rate());
    let reference = parse_rttm(&std::fs::read_to_string(sample("sample.rttm")).unwrap()).unwrap();
    let rate = diarization_errors(&reference, &found.turns, Scoring::default()).rate();
    assert!(rate <= 0.056, "DER {rate:.4}");
}

#[test]
fn every_sentence_of_the_real_call_has_its_speaker() {
    let found = transcribe(open(&sample("sample.wav")), &two_speakers()).unwrap().transcript;
    assert_eq!(found.speakers.len(), 2);
    let said_by = |words: &str| {
        let segment = found.segments.iter().find(|s| s.text.to_lowercase().contains(words));
        segment.map(|s| s.speaker_id.as_str()).unwrap_or_else(|| panic!("nobody says '{words}'"))
    };
    let diane = ["didn't know you were", "i thought, you know", "this is diane", "originally from chicago also"];
    let sheila = ["and i'm sheila", "much difference", "they all call me a yankee"];
    for line in diane {
        assert_eq!(said_by(line), "spk_1", "{line}");
    }
    for line in sheila {
        assert_eq!(said_by(line), "spk_2", "{line}");
    }
    assert_eq!(found.segments[0].speaker_id, "spk_1", "Diane says hello first");
    assert_eq!(found.segments[1].speaker_id, "spk_2", "Sheila answers");
}

#[test]
fn words_are_in_order_and_inside_their_segments() {
    let found = transcribe(open(&sample("sample.wav")), &two_speakers()).unwrap().transcript;
    for segment in &found.segments {
        assert!(segment.start_seconds >= 0.0 && segment.end_seconds <= found.duration_seconds);
        assert!(segment.words.iter().all(|w| w.start_seconds <= w.end_seconds));
        assert!(segment.words.is_sorted_by(|a, b| a.start_seconds <= b.start_seconds));
        assert!(segment.words.iter().all(|w| (0.0..=1.0).contains(&w.confidence)));
    }
    assert!(found.segments.is_sorted_by(|a, b| a.start_seconds <= b.start_seconds));
}

#[test]
fn what_is_not_speech_yields_no_words() {
    let ring_back = tone(60.0, |t| if t % 6.0 < 2.0 { vec![440.0, 480.0] } else { vec![] });
    let dtmf = tone(60.0, |t| if t % 0.2 < 0.1 { vec![697.0 + 73.0 * (t % 4.0).floor(), 1_336.0] } else { vec![] });
    let pink = {
        let mut state = 0.0;
        let white = noise(60.0, 0.1);
        white
            .iter()
            .map(|x| {
                state = 0.98 * state + 0.2 * x;
                state
            })
            .collect()
    };
    let sounds: [(&str, Vec<f32>); 6] = [
        ("silence", vec![0.0; 60 * 16_000]),
        ("white noise", noise(60.0, 0.05)),
        ("pink noise", pink),
        ("ring-back", ring_back),
        ("DTMF", dtmf),
        ("music", music(60.0)),
    ];
    for (name, sound) in sounds {
        let found = transcribe(wav(&[&sound]), &Options::default()).unwrap().transcript;
        assert_eq!(text(&found), "", "{name}");
        assert!(found.pipeline.warnings.contains(&QualityWarning::NoSpeech), "{name}");
    }
}

#[test]
fn one_speaker_needs_no_model_of_voices_and_none_is_named() {
    let options = Options { speakers: SpeakerCount::exactly(1).unwrap(), ..two_speakers() };
    let alone = transcribe(open(&sample("sample.wav")), &options).unwrap();
    assert_eq!(alone.transcript.pipeline.diarization_model, None);
    assert_eq!(alone.transcript.speakers.len(), 1);
    assert!(!alone.turns.is_empty() && alone.turns.iter().all(|t| t.speaker == 0));
    let both = transcribe(open(&sample("sample.wav")), &two_speakers()).unwrap().transcript;
    assert_eq!(both.pipeline.diarization_model.as_deref(), Some("ge2e"));
}

/// A network with the inputs of an embedding network that fails whenever it runs: half of the numbers are missing.
fn broken_embedding() -> Vec<u8> {
    use onnx::{Attribute, Dimension, Graph};
    let [batch, time] = ["B", "T"].map(Dimension::Open);
    Graph::default()
        .input("feats", &[batch, time, Dimension::Fixed(80)])
        .floats("weights", &[80, 128], &[0.1; 80 * 128])
        .node("ReduceMean", &["feats"], &["mean"], &[("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(0))])
        .node("MatMul", &["mean", "weights"], &["embs"], &[])
        .output("embs", &[Dimension::Open("B"), Dimension::Fixed(128)])
        .into_model("broken", &[])
}

/// A voiceprint that the network in a file could have made.
fn voiceprint_of(network: &Path) -> Voiceprint {
    let digest = Sha256::digest(std::fs::read(network).unwrap());
    let vector = std::iter::once(1.0f32).chain(std::iter::repeat_n(0.0, 255)).flat_map(f32::to_le_bytes);
    let blob = b"SUBVOIC1".iter().copied().chain(digest).chain(vector);
    Voiceprint::stored(Zeroizing::new(blob.collect()))
}

#[test]
fn a_diarizer_that_fails_early_or_late_costs_the_names_and_not_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.onnx");
    std::fs::write(&path, broken_embedding()).unwrap();
    let voiceprint = Some(Arc::new(voiceprint_of(&path)));
    let (engine, options) = (engine(path), Options { voiceprint, ..two_speakers() });
    // Half a minute fails while it is read, ten seconds at their end.
    let call = sample_call();
    for call in [&call[..], &call[16_000 * 6..16_000 * 16]] {
        let found = transcribe_on(&engine, wav(&[call]), &options).unwrap();
        assert_eq!(found.voices, Some(Err(Unusable::Unheard)), "which is not: nobody matches");
        assert_eq!(found.transcript.pipeline.warnings, [QualityWarning::OneSpeaker, QualityWarning::DiarizationFailed]);
        assert_eq!(found.transcript.pipeline.diarization_model, None);
        assert!(found.transcript.segments.iter().all(|s| s.speaker_id == "spk_1" && s.alignment_confidence > 0.5));
        assert!(!found.turns.is_empty() && found.turns.iter().all(|t| t.speaker == 0));
    }
}

#[test]
fn the_same_sound_on_two_channels_is_one_signal_and_said_so() {
    let call = sample_call();
    let found = transcribe(wav(&[&call, &call]), &two_speakers()).unwrap().transcript;
    assert!(found.pipeline.warnings.contains(&QualityWarning::DualMono));
    assert_eq!(found.pipeline.diarization_provider, "local");
    assert_eq!(found.speakers.len(), 2);
}

#[test]
fn a_party_on_each_channel_needs_no_diarization_and_its_echo_no_words() {
    let call = sample_call();
    let (mut here, mut there) = (call.clone(), vec![0.0; call.len() * 2]);
    here.resize(call.len() * 2, 0.0);
    // The other party says the same half a minute later, and hears the first one 12 dB weaker and 120 ms late.
    there[call.len()..].copy_from_slice(&call);
    for i in 1_920..call.len() {
        there[i] += call[i - 1_920] * 0.25;
    }
    let options = Options { channels: Channels::Split, language: Some("en".into()), ..Options::default() };
    let found = transcribe(wav(&[&here, &there]), &options).unwrap().transcript;
    assert!(found.pipeline.warnings.contains(&QualityWarning::Echo));
    let first_half = found.segments.iter().filter(|s| s.end_seconds < 30.0);
    assert!(first_half.clone().count() > 0);
    assert!(first_half.clone().all(|s| s.source_speaker_id == "CHANNEL_0"), "an echo became words");
}

#[test]
fn scripted_calls_put_no_word_on_the_wrong_party() {
    for name in ["pricing", "support"] {
        let Some(path) = shared(&format!("calls/{name}.stereo-8k-mulaw.wav")) else { return };
        let found = transcribe(open(&path), &Options { language: Some("en".into()), ..Options::default() }).unwrap();
        let reference = std::fs::read_to_string(path.with_file_name(format!("{name}.ref.json"))).unwrap();
        let reference: serde_json::Value = serde_json::from_str(&reference).unwrap();
        let said_by = |party: &str| -> BTreeSet<String> {
            let turns = reference["turns"].as_array().unwrap().iter().filter(|t| t["speaker"] == party);
            turns.flat_map(|t| normalize_words(t["text"].as_str().unwrap())).collect()
        };
        for (channel, own, other) in [("CHANNEL_0", "USER", "CONTACT"), ("CHANNEL_1", "CONTACT", "USER")] {
            let segments = found.transcript.segments.iter().filter(|s| s.source_speaker_id == channel);
            let heard: BTreeSet<String> = segments.flat_map(|s| normalize_words(&s.text)).collect();
            let (own, other) = (said_by(own), said_by(other));
            let right = heard.intersection(&own).count();
            // The reference writes numbers as words, and the model as digits.
            assert!(right * 3 > own.len() * 2, "{name} {channel}: {right} of {} words", own.len());
            // Words that only the other party says.
            let foreign: Vec<_> = heard.intersection(&other).filter(|word| !own.contains(*word)).collect();
            assert!(foreign.is_empty(), "{name} {channel}: {foreign:?}");
        }
    }
}

#[test]
fn calls_side_by_side_give_what_each_gives_alone() {
    let run = || transcribe(open(&sample("sample.wav")), &Options::default()).unwrap().transcript;
    let alone = run();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        for call in calls {
            assert_eq!(call.join().unwrap(), alone);
        }
    });
    assert_eq!(alone.language.as_deref(), Some("en"));
}

/// Read sentences one after the other, with as many samples of silence behind each.
fn joined(clips: &[&str], gap: usize) -> Option<Vec<f32>> {
    let mut call = Vec::new();
    for clip in clips {
        let path = shared(&format!("read-speech/fleurs-{clip}.ogg"))?;
        let mut reader = speech::audio::Reader::open(open(&path)).unwrap();
        while let Some(block) = reader.next_block().unwrap() {
            call.extend_from_slice(&block[0]);
        }
        call.resize(call.len() + gap, 0.0);
    }
    Some(call)
}

/// Whisper skips a sentence now and then, and stretches the words around it over its time: in these orders one of 15 to 30 words.
#[test]
fn a_sentence_that_the_first_decode_skips_is_heard_in_the_second() {
    for clips in [
        ["en-001", "en-004", "en-000", "en-002", "en-003"],
        ["fr-002", "fr-001", "fr-000", "fr-004", "fr-003"],
        ["fr-000", "fr-002", "fr-003", "fr-001", "fr-004"],
    ] {
        let Some(call) = joined(&clips, 8_000) else { return };
        let said = clips
            .map(|clip| std::fs::read_to_string(shared(&format!("read-speech/fleurs-{clip}.txt")).unwrap()).unwrap());
        let said = normalize_words(&said.join(" "));
        let found = transcribe(wav(&[&call]), &Options::default()).unwrap().transcript;
        let heard = normalize_words(&text(&found));
        assert!(heard.len() * 100 > said.len() * 93, "{clips:?}: {} of {} words", heard.len(), said.len());
    }
}

#[test]
fn a_call_that_goes_on_in_another_language_is_followed() {
    let clips = ["en-000", "en-001", "en-002", "de-000", "de-001", "de-002"];
    let Some(call) = joined(&clips, 16_000) else { return };
    let found = transcribe(wav(&[&call]), &Options::default()).unwrap().transcript;
    assert_eq!(found.segments.first().and_then(|s| s.language.as_deref()), Some("en"));
    assert_eq!(found.segments.last().and_then(|s| s.language.as_deref()), Some("de"));
    assert!(found.pipeline.warnings.contains(&QualityWarning::LanguageSwitch));
}

#[test]
fn speech_is_translated_to_english_where_the_model_can() {
    let Some(path) = shared("read-speech/fleurs-de-000.ogg") else { return };
    // Told that the speech is Japanese, which is written without spaces, the model writes English all the same.
    for language in ["de", "ja"] {
        let options = Options { task: Task::Translate, language: Some(language.into()), ..Options::default() };
        let found = transcribe(open(&path), &options).unwrap().transcript;
        let words: Vec<String> = text(&found).to_lowercase().split(' ').map(str::to_owned).collect();
        assert!(
            words.iter().any(|w| ["the", "of", "and", "to"].contains(&w.as_str())),
            "{language}: {} words",
            words.len()
        );
        assert_eq!(found.language.as_deref(), Some("en"), "{language}");
    }
}

#[test]
fn an_unknown_language_is_refused_before_any_work() {
    // The second is in the model's table of special tokens, between which languages stand.
    for language in ["xx", "transcribe"] {
        let options = Options { language: Some(language.into()), ..Options::default() };
        let refused = transcribe(open(&sample("sample.wav")), &options);
        assert!(matches!(refused, Err(TranscribeError::Option(message)) if message.contains(&format!("'{language}'"))));
    }
}

#[test]
fn hotwords_and_a_prompt_decide_how_a_name_is_spelt() {
    let heard = |options: Options| text(&transcribe(open(&sample("sample.wav")), &options).unwrap().transcript);
    let names = || Some("Shiela, Dyan".to_owned());
    let usual = heard(two_speakers());
    assert!(usual.contains("Sheila") && usual.contains("Diane"));
    for options in
        [Options { hotwords: names(), ..two_speakers() }, Options { initial_prompt: names(), ..two_speakers() }]
    {
        let told = heard(options);
        assert!(told.contains("Shiela") && told.contains("Dyan ") && !told.contains("Sheila"));
    }
}

#[test]
fn a_call_that_is_cancelled_under_way_ends_there() {
    let cancelled = AtomicBool::new(false);
    let call = sample_call().repeat(20);
    let mut reported = 0;
    let mut progress = |_| {
        reported += 1;
        cancelled.store(true, Ordering::Relaxed);
    };
    let watch = Watch { progress: &mut progress, cancelled: &cancelled };
    let ended = ENGINE.transcribe(wav(&[&call]), &Options::default(), watch);
    assert!(matches!(ended, Err(TranscribeError::Cancelled)));
    assert_eq!(reported, 1, "nothing is done behind the cancellation");
}
