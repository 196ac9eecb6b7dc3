//! Which local speakers are the same person: average-linkage clustering of their voices.
//!
//! Evidence beside the voices: two speakers of one window are two people. Invariant: the number of people lies within the
//! caller's [`SpeakerCount`] wherever there are that many voices.

use kodama::Method;

use super::{
    SpeakerCount,
    embedding::{DIMENSIONS, Embedding, unit},
};

/// Voices that are clustered at most; the rest join the nearest person. Their distances take 2 MB as f32.
const MAX_CLUSTERED: usize = 1_000;
/// Added to the distance of two voices that speak in the same window; cosine distances are at most 2.
const CANNOT_LINK: f32 = 1.0;

/// What is known about one local speaker of one window.
#[derive(Clone, Debug)]
pub(super) struct LocalVoice {
    /// Index of the window.
    pub(super) window: usize,
    /// Index of the speaker within it.
    pub(super) local: usize,
    /// Frames in which the speaker speaks alone.
    pub(super) frames: usize,
    /// Where the voice lies.
    pub(super) embedding: Embedding,
}

/// The person of every voice, and where each person's voice lies.
pub(super) struct People {
    /// A person for every voice, 0-based and dense.
    pub(super) person: Vec<usize>,
    /// The mean voice of every person.
    pub(super) centroids: Vec<Embedding>,
}

/// Cosine distance of unit vectors, 0..=2.
pub(super) fn distance(a: &Embedding, b: &Embedding) -> f32 {
    1.0 - a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>()
}

/// Groups `voices` into people.
pub(super) fn cluster(voices: &[LocalVoice], count: SpeakerCount) -> People {
    let mut chosen: Vec<usize> = (0..voices.len()).collect();
    chosen.sort_by_key(|&i| std::cmp::Reverse(voices[i].frames));
    chosen.truncate(MAX_CLUSTERED);
    chosen.sort_unstable();
    let merges = merges(voices, &chosen);
    let people = people(&merges, chosen.len(), count);
    let labels = cut(&merges, chosen.len(), people);
    refine(voices, &chosen, labels, people)
}

struct Merge {
    a: usize,
    b: usize,
    distance: f32,
}

fn merges(voices: &[LocalVoice], chosen: &[usize]) -> Vec<Merge> {
    let mut distances = Vec::with_capacity(chosen.len() * chosen.len().saturating_sub(1) / 2);
    for (i, &a) in chosen.iter().enumerate() {
        for &b in &chosen[i + 1..] {
            let (a, b) = (&voices[a], &voices[b]);
            let apart = if a.window == b.window { CANNOT_LINK } else { 0.0 };
            distances.push(distance(&a.embedding, &b.embedding) + apart);
        }
    }
    let tree = kodama::linkage(&mut distances, chosen.len(), Method::Average);
    tree.steps().iter().map(|s| Merge { a: s.cluster1, b: s.cluster2, distance: s.dissimilarity }).collect()
}

/// How many people: the tree is cut where...
fn people(merges: &[Merge], voices: usize, count: SpeakerCount) -> usize {
    let threshold: f32 = std::env::var("TH").ok().and_then(|t| t.parse().ok()).unwrap_or(0.25);
    let found = 1 + merges.iter().filter(|m| m.distance > threshold).count();
    if std::env::var("DBG").is_ok() {
        let d: Vec<String> = merges.iter().rev().take(8).map(|m| format!("{:.3}", m.distance)).collect();
        eprintln!("voices {voices} top merges {d:?}");
    }
    found.clamp(count.min(), count.max()).min(voices.max(1))
}

/// The label of every leaf after all but the last `people - 1` merges.
fn cut(merges: &[Merge], leaves: usize, people: usize) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..2 * leaves).collect();
    for (i, merge) in merges.iter().take(leaves.saturating_sub(people)).enumerate() {
        parent[merge.a] = leaves + i;
        parent[merge.b] = leaves + i;
    }
    let mut names = Vec::new();
    (0..leaves)
        .map(|leaf| {
            let mut root = leaf;
            while parent[root] != root {
                root = parent[root];
            }
            names.iter().position(|&n| n == root).unwrap_or_else(|| {
                names.push(root);
                names.len() - 1
            })
        })
        .collect()
}

/// Centroids of the labelled voices, then every voice to the nearest.
fn refine(voices: &[LocalVoice], chosen: &[usize], labels: Vec<usize>, people: usize) -> People {
    let centroid = |person: usize| {
        unit(chosen.iter().zip(&labels).filter(|(_, l)| **l == person).map(|(&i, _)| {
            let weight = voices[i].frames as f32;
            let mut e = voices[i].embedding;
            for x in &mut e[..DIMENSIONS] {
                *x *= weight;
            }
            e
        }))
    };
    let centroids: Vec<Embedding> = (0..people).map(centroid).collect();
    let nearest = |v: &LocalVoice| {
        (0..people)
            .min_by(|&a, &b| distance(&v.embedding, &centroids[a]).total_cmp(&distance(&v.embedding, &centroids[b])))
            .unwrap_or(0)
    };
    let mut person: Vec<usize> = voices.iter().map(nearest).collect();
    for (&i, &label) in chosen.iter().zip(&labels) {
        person[i] = label;
    }
    People { person, centroids }
}
