//! The network against the graph that it was taken from, run by rten.
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]

use super::{
    super::segmentation::{Graph, STEP},
    *,
};
use crate::signals::{model, noise, sample_call, tone};

/// What both networks say about windows `starts` of a stretch; `None` where the processor has no bf16.
fn both(stretch: &[f32], starts: &[usize]) -> Option<[Vec<Vec<Classes>>; 2]> {
    let net = Net::load(&model("pyannote-segmentation-3.0/segmentation-3.0.onnx")).unwrap();
    let Some(native) = PyanNet::read(&net) else {
        assert!(!TileUnit::available(), "the published file is understood");
        println!("skipped: no bf16 here");
        return None;
    };
    Some([native.run(stretch, starts), Graph::new(net).unwrap().run(stretch, starts).unwrap()])
}

/// The mean difference of probabilities, and the share of frames whose likeliest class differs.
fn difference([ours, theirs]: &[Vec<Vec<Classes>>; 2]) -> (f32, f32) {
    assert_eq!(ours.len(), theirs.len());
    let likeliest = |classes: &Classes| (0..CLASSES).max_by(|&a, &b| classes[a].total_cmp(&classes[b]));
    let (mut sum, mut flips, mut frames) = (0.0, 0.0, 0.0);
    for (ours, theirs) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        sum += ours.iter().zip(theirs).map(|(a, b)| (a.exp() - b.exp()).abs()).sum::<f32>();
        flips += if likeliest(ours) == likeliest(theirs) { 0.0 } else { 1.0 };
        frames += 1.0;
        let total: f32 = ours.iter().map(|log| log.exp()).sum();
        assert!((total - 1.0).abs() < 1e-4, "probabilities add up to {total}");
    }
    assert_eq!(frames, (ours.len() * WINDOW_FRAMES) as f32);
    (sum / frames / CLASSES as f32, flips / frames)
}

fn assert_close(name: &str, pair: &[Vec<Vec<Classes>>; 2]) {
    let (mean, flips) = difference(pair);
    assert!(mean < 2e-3 && flips < 5e-3, "{name}: probabilities differ by {mean} on average, classes by {flips}");
}

#[test]
fn a_real_call_is_segmented_as_by_the_graph_however_many_windows_there_are() {
    let call = sample_call();
    let starts: Vec<usize> = (0..=(call.len() - WINDOW) / STEP).map(|i| i * STEP).collect();
    let Some([ours, theirs]) = both(&call, &starts) else { return };
    assert_close("all windows", &[ours.clone(), theirs]);
    // What the other rows of a tile hold makes no difference, and neither does the length of the stretch.
    let net = Net::load(&model("pyannote-segmentation-3.0/segmentation-3.0.onnx")).unwrap();
    let native = PyanNet::read(&net).unwrap();
    assert_eq!(native.run(&call, &starts[3..4]), ours[3..4]);
    assert_eq!(native.run(&call[5 * STEP..][..WINDOW], &[0]), ours[5..6]);
    let twice: Vec<usize> = starts.iter().chain(&starts).copied().collect();
    assert_eq!(native.run(&call, &twice), [&ours[..], &ours[..]].concat());
    assert!(native.run(&call, &[]).is_empty());
}

#[test]
fn what_is_no_call_is_segmented_as_by_the_graph() {
    let short = [&sample_call()[..24_000], &[0.0; WINDOW - 24_000][..]].concat();
    let faint_with_an_offset = sample_call().iter().map(|x| x * 0.01 + 0.02).collect();
    let signals = [
        ("noise", noise(10.0, 0.1)),
        ("tones", tone(10.0, |t| vec![200.0 + 50.0 * t, 1_000.0])),
        ("a short recording", short),
        ("a faint one with an offset", faint_with_an_offset),
        ("silence", vec![0.0; WINDOW]),
        ("full scale", tone(10.0, |_| vec![440.0]).iter().map(|x| x.signum()).collect()),
    ];
    for (name, signal) in signals {
        if let Some(pair) = both(&signal, &[0]) {
            assert_close(name, &pair);
        }
    }
}

#[test]
fn samples_that_are_no_numbers_spoil_their_own_windows_only() {
    let mut stretch = [sample_call(), sample_call()].concat();
    let Some([clean, _]) = both(&stretch, &[0, 9 * STEP]) else { return };
    stretch[10] = f32::NAN;
    let Some([spoilt, _]) = both(&stretch, &[0, 9 * STEP]) else { return };
    assert_eq!(spoilt[1], clean[1]);
    assert_eq!(spoilt[0].len(), WINDOW_FRAMES);
}

#[test]
fn another_graph_is_left_to_rten() {
    let silero = Net::load(&model("silero-vad/silero_vad_16k_sequence.onnx")).unwrap();
    assert!(PyanNet::read(&silero).is_none());
}
