//! What counts as speech and what does not.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod signals;

use signals::{SAMPLE_RATE, model, noise, seconds, tone};
use speech::vad::{Span, Vad};

fn vad() -> Vad {
    Vad::load(&model("silero-vad/silero_vad_16k_sequence.onnx")).unwrap()
}

/// Spans of samples that arrive in blocks of an odd size.
fn spans(samples: &[f32]) -> Vec<Span> {
    let vad = vad();
    let mut stream = vad.stream();
    let mut spans: Vec<Span> = samples.chunks(4_321).flat_map(|block| stream.push(block).unwrap()).collect();
    spans.extend(stream.finish().unwrap());
    spans
}

#[test]
fn silence_is_not_speech() {
    assert_eq!(spans(&vec![0.0; seconds(60.0)]), []);
}

#[test]
fn white_noise_is_not_speech() {
    for level in [0.003, 0.03, 0.3] {
        assert_eq!(spans(&noise(60.0, level)), [], "level {level}");
    }
}

#[test]
fn pink_noise_is_not_speech() {
    // Paul Kellet's filter: three poles that fall 3 dB an octave.
    let mut b = [0.0f32; 3];
    let pink: Vec<f32> = noise(60.0, 0.3)
        .into_iter()
        .map(|white| {
            b[0] = 0.99765 * b[0] + white * 0.099_046;
            b[1] = 0.963 * b[1] + white * 0.296_516_4;
            b[2] = 0.57 * b[2] + white * 1.052_691_3;
            (b[0] + b[1] + b[2] + white * 0.1848) * 0.3
        })
        .collect();
    assert_eq!(spans(&pink), []);
}

#[test]
fn ring_back_tones_are_not_speech() {
    let cadence = |on: f64, off: f64, frequencies: &'static [f64]| {
        tone(60.0, move |t| if t % (on + off) < on { frequencies.to_vec() } else { vec![] })
    };
    assert_eq!(spans(&cadence(2.0, 4.0, &[440.0, 480.0])), [], "North America");
    assert_eq!(spans(&cadence(1.0, 4.0, &[425.0])), [], "Europe");
    assert_eq!(spans(&cadence(0.5, 0.5, &[425.0])), [], "busy");
}

#[test]
fn dialled_digits_are_not_speech() {
    const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    for (on, off) in [(0.1, 0.1), (0.25, 0.15), (0.05, 0.05)] {
        let digits = tone(60.0, move |t| {
            let key = (t / (on + off)) as usize * 7 % 16;
            if t % (on + off) < on { vec![ROWS[key / 4], COLUMNS[key % 4]] } else { vec![] }
        });
        assert_eq!(spans(&digits), [], "{on} s on, {off} s off");
    }
}

#[test]
fn hold_music_is_not_speech() {
    assert_eq!(spans(&signals::music(60.0)), []);
}

#[test]
fn a_call_that_is_only_tones_then_noise_is_not_speech() {
    let mut call = tone(12.0, |t| if t % 6.0 < 2.0 { vec![440.0, 480.0] } else { vec![] });
    call.extend(noise(20.0, 0.01));
    call.extend(signals::music(20.0));
    assert_eq!(spans(&call), []);
}

#[test]
fn a_sentence_is_found_where_it_is() {
    let speech = signals::sample_call();
    let quiet = seconds(3.0);
    let mut call = vec![0.0; quiet];
    call.extend(&speech[seconds(10.6)..seconds(14.6)]);
    call.extend(vec![0.0; quiet]);
    let found = spans(&call);
    let (start, end) = (found[0].start as usize, found.last().unwrap().end as usize);
    assert!(start.abs_diff(quiet) < seconds(0.4), "start {start}");
    assert!(end.abs_diff(call.len() - quiet) < seconds(0.5), "end {end}");
    assert!(found.iter().all(|s| s.probabilities.len() as u64 * 512 <= s.end - s.start + 512));
}

#[test]
fn the_size_of_the_blocks_does_not_matter() {
    let speech = signals::sample_call();
    let vad = vad();
    let run = |size: usize| {
        let mut stream = vad.stream();
        let mut spans: Vec<Span> = speech.chunks(size).flat_map(|block| stream.push(block).unwrap()).collect();
        spans.extend(stream.finish().unwrap());
        spans
    };
    assert_eq!(run(997), run(SAMPLE_RATE * 30));
}

#[test]
fn another_network_is_refused_by_name() {
    let wrong = model("pyannote-segmentation-3.0/segmentation-3.0.onnx");
    let error = Vad::load(&wrong).err().expect("refused").to_string();
    assert!(error.contains("is not the Silero VAD network"), "{error}");
    let error = Vad::load("nowhere.onnx".as_ref()).err().expect("refused").to_string();
    assert!(error.starts_with("cannot load the network nowhere.onnx"), "{error}");
}
