use super::*;

const MODEL: VoiceModel = VoiceModel::Ge2e([7; DIGEST]);

fn voice(toward: f32, seconds: f64) -> Voice {
    let mut embedding = vec![0.0; DIMENSIONS];
    (embedding[0], embedding[1]) = (toward, (1.0 - toward * toward).sqrt());
    Voice { embedding, seconds }
}

fn voiceprint() -> Voiceprint {
    Voiceprint::of(&MODEL, &voice(1.0, 20.0))
}

fn stored(blob: &[u8]) -> Voiceprint {
    Voiceprint::stored(Zeroizing::new(blob.to_vec()))
}

#[test]
fn a_voiceprint_that_was_stored_knows_its_voice_again() {
    let known = stored(voiceprint().blob()).open(&MODEL).ok().unwrap();
    let voices = [voice(1.0, 10.0), voice(0.5, 10.0), voice(1.0, 1.0)];
    let scores = known.scores(voices.iter().enumerate());
    assert_eq!(scores.len(), 2, "who said too little has no score");
    assert!(scores[0].score > 0.95 && scores[1].score < 0.05, "{scores:?}");
}

#[test]
fn a_voiceprint_of_another_model_is_no_evidence() {
    for other in [VoiceModel::Ge2e([8; DIGEST]), VoiceModel::WeSpeaker([9; DIGEST])] {
        assert_eq!(voiceprint().open(&other).err(), Some(Unusable::OtherModel));
    }
}

#[test]
fn a_voiceprint_that_was_damaged_is_no_evidence() {
    let good = voiceprint();
    let blob = good.blob();
    let vector = MAGIC.len() + DIGEST;
    let mut damaged = vec![Vec::new(), vec![0; 4], blob[..blob.len() - 1].to_vec(), [blob, &[0]].concat()];
    for (at, byte) in [(0, 0), (vector + 3, 0x7f), (vector + 2, 0xff), (vector + 3, 0x40)] {
        let mut bytes = blob.to_vec();
        bytes[at] = byte;
        damaged.push(bytes);
    }
    for bytes in damaged {
        assert_eq!(stored(&bytes).open(&MODEL).err(), Some(Unusable::Damaged));
    }
}

#[test]
fn a_score_is_between_0_and_1_and_grows_with_the_likeness() {
    for model in [MODEL, VoiceModel::WeSpeaker([0; DIGEST])] {
        let calibration = Calibration::of(&model);
        let scores: Vec<f32> = (-10..=10).map(|x| calibration.score(x as f32 / 10.0)).collect();
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
        assert!(scores.is_sorted(), "{scores:?}");
        assert!((calibration.score(calibration.likely) - 0.75).abs() < 1e-5);
        assert!((calibration.score(calibration.sure) - 0.85).abs() < 1e-5);
        assert!(calibration.score(f32::NAN) < 0.75, "what is no number matches nobody");
    }
}

#[test]
fn nobody_reads_a_voiceprint_by_printing_it() {
    assert_eq!(format!("{:?}", voiceprint()), "Voiceprint { .. }");
}
