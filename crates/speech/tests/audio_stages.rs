//! Two channels are told apart, echoes are told from voices, and the quality is measured.

mod audio_support;

use audio_support::Sound;
use speech::audio::{Layout, LayoutDetector, MAX_ECHO_DELAY, Meter, is_echo};

/// Twelve seconds of two parties who talk at once.
fn parties() -> (Vec<f32>, Vec<f32>) {
    let sound = Sound::speech_like(16_000, 4);
    let repeat = |channel: usize| sound.channels[channel].repeat(4);
    (repeat(0), repeat(3))
}

fn noise(level: f32, seed: u32) -> impl Iterator<Item = f32> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        level * ((state >> 8) as f32 / 8_388_608.0 - 1.0)
    })
}

fn add(samples: &[f32], other: impl IntoIterator<Item = f32>) -> Vec<f32> {
    samples.iter().zip(other).map(|(sample, other)| sample + other).collect()
}

fn late(samples: &[f32], delay: usize, gain: f32) -> Vec<f32> {
    (0..samples.len()).map(|n| n.checked_sub(delay).map_or(0.0, |n| gain * samples[n])).collect()
}

fn layout(a: &[f32], b: &[f32]) -> LayoutDetector {
    let mut detector = LayoutDetector::default();
    for (a, b) in a.chunks(700).zip(b.chunks(700)) {
        detector.push(a, b);
    }
    detector
}

#[test]
fn one_sound_twice_is_dual_mono_even_louder_inverted_late_or_noisy() {
    let (a, _) = parties();
    let inverted: Vec<f32> = a.iter().map(|x| -0.4 * x).collect();
    let noisy = add(&a, noise(0.01, 1));
    for b in [a.clone(), inverted, late(&a, 20, 0.8), noisy] {
        assert_eq!(layout(&a, &b).decided(), Some(Layout::DualMono));
    }
}

#[test]
fn two_parties_are_distinct_even_with_echo() {
    let (a, b) = parties();
    assert_eq!(layout(&a, &b).decided(), Some(Layout::Distinct));
    let echo = late(&a, 2000, 0.2);
    assert_eq!(layout(&a, &add(&b, echo.clone())).decided(), Some(Layout::Distinct));
    // The other party has not spoken yet: their channel holds the echo only.
    assert_ne!(layout(&a, &echo).decide(), Layout::DualMono);
    assert_ne!(layout(&a, &late(&a, 0, 0.1)).decide(), Layout::DualMono);
}

#[test]
fn nothing_is_decided_before_enough_was_heard() {
    let (a, b) = parties();
    assert_eq!(layout(&a[..80_000], &b[..80_000]).decided(), None);
    assert_eq!(layout(&vec![0.0; 400_000], &vec![0.0; 400_000]).decided(), None);
    let silent = vec![0.0; a.len()];
    assert_eq!(layout(&a, &silent).decided(), None, "the other party may still come");
    assert_eq!(layout(&a, &silent).decide(), Layout::OneSided(0));
    assert_eq!(layout(&silent, &a).decide(), Layout::OneSided(1));
}

#[test]
fn a_late_weak_copy_is_an_echo() {
    let (a, _) = parties();
    for delay in [0, 40, 1600, MAX_ECHO_DELAY] {
        for gain in [0.5, -0.2, 0.05] {
            let b = add(&late(&a, delay, gain), noise(0.0003, 7));
            for span in [16_000..19_200, 16_000..48_000] {
                let lead = span.start - MAX_ECHO_DELAY;
                assert!(is_echo(&a[lead..span.end], &b[span.clone()]), "delay {delay}, gain {gain}, {span:?}");
            }
        }
    }
}

#[test]
fn a_party_who_talks_is_no_echo_even_over_one() {
    let (a, voice) = parties();
    for strength in [1.0, 0.3, 0.1] {
        let voice: Vec<f32> = voice.iter().map(|x| strength * x).collect();
        for echo in [0.0, 0.05, 0.1] {
            let b = add(&voice, late(&a, 1600, echo));
            for start in (8_000..96_000).step_by(8_000) {
                for span in [start..start + 8_000, start..start + 48_000] {
                    let lead = span.start - MAX_ECHO_DELAY;
                    assert!(!is_echo(&a[lead..span.end], &b[span.clone()]), "voice {strength}, echo {echo}, {span:?}");
                }
            }
        }
    }
    // An answer within what is otherwise an echo.
    let mut b = late(&a, 1600, 0.2);
    for (b, voice) in b[40_000..48_000].iter_mut().zip(&voice[40_000..48_000]) {
        *b += 0.3 * voice;
    }
    assert!(!is_echo(&a[24_000..64_000], &b[32_000..64_000]), "an answer over an echo");
}

#[test]
fn silence_and_scraps_are_no_echo() {
    let (a, _) = parties();
    assert!(!is_echo(&a, &vec![0.0; a.len()]));
    assert!(!is_echo(&vec![0.0; a.len()], &a));
    assert!(!is_echo(&[], &[]));
    assert!(!is_echo(&a[..100], &a[..100]));
    assert!(!is_echo(&a[..100], &a), "a source shorter than its echo");
}

#[test]
fn clipping_and_noise_are_measured() {
    let (voice, _) = parties();
    let measure = |samples: &[f32]| {
        let mut meter = Meter::default();
        samples.chunks(999).for_each(|block| meter.push(block, None));
        meter.quality()
    };
    let clean = measure(&add(&voice, noise(0.0002, 3)));
    assert!(clean.clipped == 0.0 && clean.snr_db.unwrap() > 20.0, "{clean:?}");
    let noisy = measure(&add(&voice, noise(0.1, 3)));
    assert!(noisy.snr_db.unwrap() < 15.0, "{noisy:?}");
    let loud: Vec<f32> = voice.iter().map(|x| (6.0 * x).clamp(-1.0, 1.0)).collect();
    assert!(measure(&loud).clipped > 0.01, "{:?}", measure(&loud));
    assert_eq!(measure(&[]).snr_db, None);

    let mut told = Meter::default();
    told.push(&noise(0.1, 5).take(16_000).collect::<Vec<_>>(), Some(true));
    told.push(&noise(0.01, 6).take(16_000).collect::<Vec<_>>(), Some(false));
    let snr = told.quality().snr_db.unwrap();
    assert!((snr - 20.0).abs() < 1.5, "{snr} dB");
}
