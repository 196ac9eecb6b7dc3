//! Grouping WeSpeaker's voices as pyannote community-1 does: clusters by distance, then a variational Bayes model over
//! PLDA features that decides how many of them are people (Landini et al. 2022; Plaquet et al., pyannote.audio 4).
//!
//! Invariant: every voice is in exactly one group. The PLDA is part of `diaric` (trained by BUT Speech@FIT, CC BY 4.0).

use diaric::{
    cluster::{ahc::ahc_init, vbx::vbx_iterate},
    plda::{PldaTransform, RawEmbedding},
    spill::SpillOptions,
};
use nalgebra::{DMatrix, DVector};

use super::{
    cluster::LocalVoice,
    embedding::{DIMENSIONS, unit},
};

// The hyperparameters of community-1.
const THRESHOLD: f64 = 0.6;
const FA: f64 = 0.07;
const FB: f64 = 0.8;
const MAX_ITERATIONS: usize = 20;
/// Logit of the cluster that a voice starts in.
const SMOOTHING: f64 = 7.0;
/// Prior probability above which a cluster is a person.
const PERSON: f64 = 1e-7;

/// Indices of `voices` by person; `None` when there are too few or they are no WeSpeaker embeddings (not a number, or
/// shorter than PLDA takes).
pub(super) fn groups(voices: &[&LocalVoice]) -> Option<Vec<Vec<usize>>> {
    if voices.len() < 2 {
        return None;
    }
    let units: Vec<f64> = voices.iter().flat_map(|v| unit(&v.embedding)).map(f64::from).collect();
    let clusters = ahc_init(&units, voices.len(), DIMENSIONS, THRESHOLD, &SpillOptions::default()).ok()?;
    let count = clusters.iter().max()? + 1;

    let plda = PldaTransform::new().ok()?;
    let project = |v: &&LocalVoice| plda.project(&RawEmbedding::from_wespeaker(v.embedding).ok()?).ok();
    let features: Vec<_> = voices.iter().map(project).collect::<Option<_>>()?;
    let features = DMatrix::from_fn(features.len(), plda.phi().len(), |row, column| features[row][column]);

    let others = (count - 1) as f64;
    let start = DMatrix::from_fn(voices.len(), count, |voice, cluster| {
        let logit: f64 = if clusters[voice] == cluster { SMOOTHING } else { 0.0 };
        logit.exp() / (SMOOTHING.exp() + others)
    });
    let phi = DVector::from_column_slice(plda.phi());
    let found = vbx_iterate(features.as_view(), &phi, &start, FA, FB, MAX_ITERATIONS).ok()?;

    let mut groups = vec![Vec::new(); count];
    for voice in 0..voices.len() {
        let people = (0..count).filter(|&c| found.pi()[c] > PERSON);
        let best = people.max_by(|&a, &b| found.gamma()[(voice, a)].total_cmp(&found.gamma()[(voice, b)]))?;
        groups[best].push(voice);
    }
    groups.retain(|g| !g.is_empty());
    Some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Voices of `people` people in turn, each around a direction of their own, at a length like WeSpeaker's.
    fn voices(people: usize, count: usize) -> Vec<LocalVoice> {
        let mut state = 88_172_645_463_325_252u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let centres: Vec<[f32; DIMENSIONS]> = (0..people).map(|_| std::array::from_fn(|_| random())).collect();
        let voice = |i: usize| LocalVoice {
            window: i,
            local: 0,
            frames: 100,
            embedding: centres[i % people].map(|x| 0.5 * (x + 0.2 * random())),
        };
        (0..count).map(voice).collect()
    }

    #[test]
    fn people_with_voices_of_their_own_are_told_apart() {
        let voices = voices(3, 30);
        let mut found = groups(&voices.iter().collect::<Vec<_>>()).unwrap();
        found.sort();
        let expected: Vec<Vec<usize>> = (0..3).map(|p| (p..30).step_by(3).collect()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_voice_is_left_to_the_caller_and_so_are_vectors_without_direction() {
        let one = voices(1, 1);
        assert_eq!(groups(&[&one[0]]), None);
        let mut broken = voices(1, 2);
        broken[1].embedding = [0.0; DIMENSIONS];
        assert_eq!(groups(&broken.iter().collect::<Vec<_>>()), None);
    }
}
