//! Which local speakers are the same person: average-linkage clustering of their voices, or VBx where the embeddings are
//! WeSpeaker's.
//!
//! Evidence beside the voices: two speakers of one window are two people, and a person says more than a word. Both keep
//! the narrow scale of GE2E's distances from deciding alone. Invariant: people are numbered from 0 without gaps, and there
//! are as many as the caller's [`SpeakerCount`] allows, wherever there are that many voices.

use kodama::Method;

use super::{
    SpeakerCount,
    embedding::{Embedding, sum, unit},
    vbx,
};

/// Voices that are clustered at most, those with the most speech; their distances take 8 MB. The rest join the nearest person.
const MAX_CLUSTERED: usize = 2_000;
/// How much farther apart two people come who share every window. The distance of two groups is the mean over pairs of
/// voices, of which ever fewer share a window as a recording grows: so what a pair gets grows with the number of voices.
const APART: f32 = 0.1;
/// Average distance above which two groups are two people. On telephone calls and read speech, groups of one speaker came
/// as far apart as .21, two people no nearer than .33 with what shared windows add. In far-field meetings the two overlap.
const GE2E_THRESHOLD: f32 = 0.27;
/// Frames of undisturbed speech that make a person, over all windows (.7 s). Windows overlap, so whoever says a word is
/// heard in several of them; less than this is one window's mistake.
const PERSON_FRAMES: usize = 40;
/// The same where the caller asks for more people than the voices show (1.4 s heard by four windows): such a person has
/// to outweigh the windows that do not hear them.
const FORCED_PERSON_FRAMES: usize = 320;

/// What is known about one local speaker of one window.
#[derive(Clone, Debug)]
pub(super) struct LocalVoice {
    /// Index of the window.
    pub(super) window: usize,
    /// Index of the speaker within it.
    pub(super) local: usize,
    /// Frames in which the speaker speaks alone.
    pub(super) frames: usize,
    /// Where the voice lies, at the network's own length.
    pub(super) embedding: Embedding,
}

/// The person of every voice, and where each person's voice lies.
pub(super) struct People {
    /// A person for every voice.
    pub(super) person: Vec<usize>,
    /// The mean voice of every person, a unit vector.
    pub(super) centroids: Vec<Embedding>,
}

/// Which network the voices come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Cosine distances below a threshold.
    Ge2e,
    /// The probabilistic model of pyannote community-1.
    WeSpeaker,
}

/// Groups `voices` into people.
pub(super) fn cluster(voices: &[LocalVoice], space: Space, count: SpeakerCount) -> People {
    let mut chosen: Vec<usize> = (0..voices.len()).collect();
    chosen.sort_by_key(|&i| std::cmp::Reverse(voices[i].frames));
    chosen.truncate(MAX_CLUSTERED);
    chosen.sort_unstable();
    let leaves: Vec<&LocalVoice> = chosen.iter().map(|&i| &voices[i]).collect();
    let tree = Tree::grow(&leaves);
    let found = match space {
        Space::Ge2e => None,
        Space::WeSpeaker => vbx::groups(&leaves),
    };
    let groups = match found {
        Some(groups) if (count.min()..=count.max()).contains(&groups.len()) => groups,
        found => {
            let found = found.map_or_else(|| tree.people_below(GE2E_THRESHOLD).max(1), |groups| groups.len());
            let people = found.clamp(count.min(), count.max());
            tree.cut_into(people, if people > found { FORCED_PERSON_FRAMES } else { PERSON_FRAMES })
        }
    };
    assign(voices, &chosen, &groups)
}

/// Cosine distance of unit vectors, 0..=2.
fn distance(a: &Embedding, b: &Embedding) -> f32 {
    1.0 - a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>()
}

/// Voices merged two by two, the nearest first.
struct Tree {
    /// Frames of every leaf.
    frames: Vec<usize>,
    /// What was merged, leaves first and then merges in order, and how far apart it was.
    merges: Vec<(usize, usize, f32)>,
}

impl Tree {
    fn grow(leaves: &[&LocalVoice]) -> Self {
        let mut distances = Vec::with_capacity(leaves.len() * leaves.len().saturating_sub(1) / 2);
        // Two people who share every one of n / 2 windows have n² / 4 pairs of voices, n / 2 of them in one window.
        let shared_window = APART * leaves.len() as f32 / 2.0;
        let units: Vec<Embedding> = leaves.iter().map(|v| unit(&v.embedding)).collect();
        for (i, a) in leaves.iter().enumerate() {
            for (j, b) in leaves.iter().enumerate().skip(i + 1) {
                let apart = if a.window == b.window { shared_window } else { 0.0 };
                distances.push(distance(&units[i], &units[j]) + apart);
            }
        }
        let linkage = kodama::linkage(&mut distances, leaves.len(), Method::Average);
        Self {
            frames: leaves.iter().map(|v| v.frames).collect(),
            merges: linkage.steps().iter().map(|s| (s.cluster1, s.cluster2, s.dissimilarity)).collect(),
        }
    }

    /// The number of groups with enough speech for a person, after each merge from none on.
    fn people_by_merges(&self, enough: usize) -> Vec<usize> {
        let is_person = |frames: usize| usize::from(frames >= enough);
        let mut frames = self.frames.clone();
        let mut people: usize = frames.iter().map(|&f| is_person(f)).sum();
        let mut by_merges = vec![people];
        for &(a, b, _) in &self.merges {
            let both = frames[a] + frames[b];
            people = people + is_person(both) - is_person(frames[a]) - is_person(frames[b]);
            frames.push(both);
            by_merges.push(people);
        }
        by_merges
    }

    /// People when all groups nearer than `threshold` are merged.
    fn people_below(&self, threshold: f32) -> usize {
        self.people_by_merges(PERSON_FRAMES)[self.merges.iter().take_while(|m| m.2 <= threshold).count()]
    }

    /// The leaves of each of `people` groups: those with the most speech after the most merges that leave so many groups
    /// with enough speech; where there never are, whatever so many groups remain.
    fn cut_into(&self, people: usize, enough: usize) -> Vec<Vec<usize>> {
        let leaves = self.frames.len();
        let leaving = |enough| self.people_by_merges(enough).iter().rposition(|&p| p >= people);
        let merges = leaving(enough).or_else(|| leaving(PERSON_FRAMES)).unwrap_or(leaves.saturating_sub(people));
        let mut groups: Vec<Option<Vec<usize>>> = (0..leaves).map(|leaf| Some(vec![leaf])).collect();
        for &(a, b, _) in &self.merges[..merges] {
            let mut both = groups[a].take().unwrap_or_default();
            both.extend(groups[b].take().unwrap_or_default());
            groups.push(Some(both));
        }
        let mut groups: Vec<Vec<usize>> = groups.into_iter().flatten().collect();
        groups.sort_by_key(|g| std::cmp::Reverse(g.iter().map(|&leaf| self.frames[leaf]).sum::<usize>()));
        groups.truncate(people);
        groups
    }
}

/// Makes each group, given as indices into `chosen`, a person; every other voice joins the nearest person that no other
/// voice of its window is, or the nearest at all where there is none.
fn assign(voices: &[LocalVoice], chosen: &[usize], groups: &[Vec<usize>]) -> People {
    let weighted = |&leaf: &usize| {
        let voice = &voices[chosen[leaf]];
        unit(&voice.embedding).map(|x| x * voice.frames as f32)
    };
    let centroids: Vec<Embedding> = groups.iter().map(|g| unit(&sum(g.iter().map(weighted)))).collect();
    let mut person: Vec<Option<usize>> = vec![None; voices.len()];
    for (index, group) in groups.iter().enumerate() {
        for &leaf in group {
            person[chosen[leaf]] = Some(index);
        }
    }
    for voice in 0..voices.len() {
        if person[voice].is_none() {
            let from = voices[..voice].iter().rposition(|v| v.window != voices[voice].window).map_or(0, |i| i + 1);
            let mates = (from..voices.len()).take_while(|&i| voices[i].window == voices[voice].window);
            let taken: Vec<usize> = mates.filter_map(|i| person[i]).collect();
            let heard = unit(&voices[voice].embedding);
            person[voice] = (0..centroids.len()).min_by(|a, b| {
                let cost = |p: &usize| (taken.contains(p), distance(&heard, &centroids[*p]));
                let (a, b) = (cost(a), cost(b));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
        }
    }
    People { person: person.into_iter().map(Option::unwrap_or_default).collect(), centroids }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diarize::embedding::DIMENSIONS;

    /// A voice of a person in a window; people are `spread` apart as cosine distance, voices of one person a tenth of it.
    fn voice(window: usize, person: usize, spread: f32) -> LocalVoice {
        let mut embedding = [0.0; DIMENSIONS];
        embedding[0] = (1.0 - spread).sqrt();
        embedding[1 + person] = (spread * 0.9).sqrt();
        embedding[20 + window] = (spread * 0.1).sqrt();
        LocalVoice { window, local: person, frames: 100, embedding }
    }

    fn people(voices: &[LocalVoice], count: SpeakerCount) -> usize {
        let people = cluster(voices, Space::Ge2e, count);
        assert!(people.person.iter().all(|p| *p < people.centroids.len()));
        people.centroids.len()
    }

    fn conversation(spread: f32) -> Vec<LocalVoice> {
        (0..20).map(|window| voice(window, window % 2, spread)).collect()
    }

    #[test]
    fn voices_that_differ_are_two_people_and_voices_that_do_not_are_one() {
        assert_eq!(people(&conversation(0.5), SpeakerCount::default()), 2);
        assert_eq!(people(&conversation(0.1), SpeakerCount::default()), 1);
    }

    #[test]
    fn voices_that_share_their_windows_are_two_people_although_they_are_alike() {
        let voices: Vec<_> = (0..20).map(|i| voice(i / 2, i % 2, 0.25)).collect();
        let found = cluster(&voices, Space::Ge2e, SpeakerCount::default());
        assert_eq!(found.centroids.len(), 2);
        assert!(found.person.chunks(2).all(|pair| pair == &found.person[..2]));
    }

    #[test]
    fn the_count_that_the_caller_gives_is_kept() {
        for n in 1..=4 {
            assert_eq!(people(&conversation(0.5), SpeakerCount::between(n, n).unwrap()), n);
        }
        assert_eq!(people(&conversation(0.5), SpeakerCount::between(1, 1).unwrap()), 1);
        assert_eq!(people(&conversation(0.5), SpeakerCount::between(3, 9).unwrap()), 3);
    }

    #[test]
    fn a_single_stray_voice_is_nobody() {
        let mut voices = conversation(0.5);
        voices.push(LocalVoice { frames: 35, ..voice(20, 7, 0.5) });
        assert_eq!(people(&voices, SpeakerCount::default()), 2);
    }

    #[test]
    fn five_hours_of_voices_are_clustered_within_the_cap() {
        let voices: Vec<_> = (0..14_000).map(|i| LocalVoice { window: i, ..voice(i % 200, i % 3, 0.5) }).collect();
        assert_eq!(people(&voices, SpeakerCount::default()), 3);
    }

    #[test]
    fn no_voices_are_no_people() {
        assert!(cluster(&[], Space::Ge2e, SpeakerCount::default()).person.is_empty());
    }
}
