//! Who spoke when, in a real call and in what only looks like one.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

#[expect(unused, reason = "integers are not needed here")]
#[path = "../../../xtask/src/onnx.rs"]
mod onnx;
mod signals;

use signals::{model, noise, sample, sample_call, seconds};
use speech::{
    diarize::{Diarization, Diarizer, SpeakerCount},
    metrics::{Scoring, diarization_errors, parse_rttm},
};

fn diarizer() -> Diarizer {
    let segmentation = model("pyannote-segmentation-3.0/segmentation-3.0.onnx");
    Diarizer::load(&segmentation, &model("ge2e/ge2e.onnx")).unwrap()
}

fn diarize(samples: &[f32], count: SpeakerCount) -> Diarization {
    let diarizer = diarizer();
    let mut session = diarizer.session();
    samples.chunks(7_919).for_each(|block| session.push(block).unwrap());
    session.finish(count).unwrap()
}

/// Diarization error rate on the real call, overlap counted, no collar.
fn error_rate(found: &Diarization) -> f64 {
    let reference = parse_rttm(&std::fs::read_to_string(sample("sample.rttm")).unwrap()).unwrap();
    diarization_errors(&reference, &found.turns, Scoring::default()).rate()
}

#[test]
fn two_known_speakers_of_a_real_call_are_told_apart() {
    let found = diarize(&sample_call(), SpeakerCount::exactly(2).unwrap());
    let rate = error_rate(&found);
    assert!(rate <= 0.056, "DER {rate:.4}");
    assert_eq!(found.voices.len(), 2);
}

#[test]
fn both_speakers_of_a_real_call_are_found_without_being_told() {
    let found = diarize(&sample_call(), SpeakerCount::default());
    let rate = error_rate(&found);
    assert_eq!(found.voices.len(), 2);
    assert!(rate <= 0.08, "DER {rate:.4}");
}

#[test]
fn the_number_of_speakers_that_is_asked_for_is_found() {
    let call = sample_call();
    for n in 1..=3 {
        assert_eq!(diarize(&call, SpeakerCount::exactly(n).unwrap()).voices.len(), n);
    }
    assert_eq!(diarize(&call, SpeakerCount::between(3, 5).unwrap()).voices.len(), 3);
    assert_eq!(diarize(&call, SpeakerCount::between(1, 1).unwrap()).voices.len(), 1);
}

#[test]
fn turns_come_in_order_and_speakers_are_numbered_as_they_appear() {
    let call = sample_call();
    let found = diarize(&call, SpeakerCount::default());
    assert!(found.turns.windows(2).all(|w| w[0].start <= w[1].start));
    let mut next = 0;
    for turn in &found.turns {
        assert!(turn.speaker <= next && turn.start < turn.end && turn.end <= 30.0, "{turn:?}");
        next = next.max(turn.speaker + 1);
    }
    assert_eq!(next, found.voices.len());
    for voice in &found.voices {
        let norm: f32 = voice.embedding.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-3 && voice.seconds > 5.0, "{} s", voice.seconds);
    }
}

#[test]
fn changes_of_speaker_are_known_while_the_recording_runs() {
    let diarizer = diarizer();
    let mut session = diarizer.session();
    session.push(&sample_call()[..seconds(25.0)]).unwrap();
    let changes = session.change_points();
    assert!(changes.known_until > 13.0 && changes.known_until <= 25.0);
    // Diane takes over from Sheila at 10.6 s.
    assert!(changes.times.iter().any(|t| (t - 10.6).abs() < 0.5), "{:?}", changes.times);
    assert!(changes.times.iter().all(|t| *t <= changes.known_until));
}

#[test]
fn silence_and_noise_have_no_speakers() {
    assert_eq!(diarize(&[], SpeakerCount::default()), Diarization::default());
    assert_eq!(diarize(&vec![0.0; seconds(25.0)], SpeakerCount::exactly(2).unwrap()), Diarization::default());
    assert_eq!(diarize(&noise(25.0, 0.01), SpeakerCount::default()).turns, []);
}

#[test]
fn a_second_of_speech_is_one_turn() {
    let found = diarize(&sample_call()[seconds(11.5)..seconds(12.7)], SpeakerCount::default());
    assert_eq!(found.turns.len(), 1);
}

#[test]
fn another_network_is_refused_by_name() {
    let silero = model("silero-vad/silero_vad_16k_sequence.onnx");
    let error = Diarizer::load(&silero, &model("ge2e/ge2e.onnx")).err().expect("refused").to_string();
    assert!(error.contains("is not pyannote segmentation-3.0"), "{error}");
    let segmentation = model("pyannote-segmentation-3.0/segmentation-3.0.onnx");
    let error = Diarizer::load(&segmentation, &silero).err().expect("refused").to_string();
    assert!(error.contains("is not a speaker embedding network"), "{error}");
}

/// A network with WeSpeaker's inputs and outputs: the mean of the frames through fixed weights.
fn wespeaker_stand_in() -> Vec<u8> {
    use onnx::{Attribute, Dimension, Graph};
    let weights: Vec<f32> = (0..80 * 256).map(|i| ((i * 7_919 % 1_000) as f32 / 1_000.0 - 0.5) * 0.1).collect();
    let [batch, time] = ["B", "T"].map(Dimension::Open);
    Graph::default()
        .input("feats", &[batch, time, Dimension::Fixed(80)])
        .floats("weights", &[80, 256], &weights)
        .node("Abs", &["feats"], &["size"], &[])
        .node("ReduceMean", &["size"], &["mean"], &[("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(0))])
        .node("MatMul", &["mean", "weights"], &["embs"], &[])
        .output("embs", &[Dimension::Open("B"), Dimension::Fixed(256)])
        .into_model("wespeaker", &[])
}

#[test]
fn wespeaker_takes_the_same_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wespeaker.onnx");
    std::fs::write(&path, wespeaker_stand_in()).unwrap();
    let diarizer = Diarizer::load(&model("pyannote-segmentation-3.0/segmentation-3.0.onnx"), &path).unwrap();
    for (count, people) in [(SpeakerCount::exactly(2), 2), (SpeakerCount::exactly(1), 1)] {
        let mut session = diarizer.session();
        session.push(&sample_call()).unwrap();
        let found = session.finish(count.unwrap()).unwrap();
        assert_eq!(found.voices.len(), people);
        assert!(found.turns.iter().map(|t| t.end - t.start).sum::<f64>() > 20.0);
    }
}
