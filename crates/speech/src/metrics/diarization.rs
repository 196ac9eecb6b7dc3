//! Diarization error rate (NIST RT-09: missed, false alarm, confusion, by time of reference speech; overlap counts once
//! for each speaker) and Jaccard error rate (DIHARD II), under the mapping of speakers that agrees longest.
//!
//! Invariant: the time line is cut at every boundary of either side, so that within a piece nobody starts or stops.

use std::collections::BTreeMap;

use crate::diarize::Turn;

/// What is left out of the score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scoring {
    /// Seconds around every boundary of the reference that are not scored, half on each side, as `pyannote.metrics` has
    /// it: NIST's "collar of .25 s" to each side is .5 here.
    pub collar: f64,
}

/// Seconds by kind of error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DiarizationErrors {
    /// Reference speech, overlapping speakers counted each.
    pub total: f64,
    /// Speech that was not found.
    pub missed: f64,
    /// Speech that is not there.
    pub false_alarm: f64,
    /// Speech of someone else.
    pub confusion: f64,
}

impl DiarizationErrors {
    /// The diarization error rate; 0 where nothing was said and nothing found.
    pub fn rate(self) -> f64 {
        let errors = self.missed + self.false_alarm + self.confusion;
        if errors == 0.0 { 0.0 } else { errors / self.total }
    }
}

/// A piece of the time line.
struct Piece {
    length: f64,
    reference: Vec<usize>,
    hypothesis: Vec<usize>,
}

/// Scores `hypothesis` against `reference`. At most sixteen speakers on the smaller side are mapped exactly.
pub fn diarization_errors(reference: &[Turn], hypothesis: &[Turn], scoring: Scoring) -> DiarizationErrors {
    let pieces = pieces(reference, hypothesis, scoring.collar);
    let mapping = best_mapping(&pieces);
    let mut errors = DiarizationErrors::default();
    for piece in &pieces {
        let (said, found) = (piece.reference.len(), piece.hypothesis.len());
        let right =
            piece.reference.iter().filter(|r| mapping.get(r).is_some_and(|h| piece.hypothesis.contains(h))).count();
        errors.total += piece.length * said as f64;
        errors.missed += piece.length * said.saturating_sub(found) as f64;
        errors.false_alarm += piece.length * found.saturating_sub(said) as f64;
        errors.confusion += piece.length * (said.min(found) - right) as f64;
    }
    errors
}

/// Mean over the reference's speakers of the share of time in which exactly one of them and their match speaks.
pub fn jaccard_error_rate(reference: &[Turn], hypothesis: &[Turn]) -> f64 {
    let pieces = pieces(reference, hypothesis, 0.0);
    let mapping = best_mapping(&pieces);
    let mut speakers: Vec<usize> = reference.iter().map(|t| t.speaker).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let error = |speaker: &usize| {
        let (mut both, mut either) = (0.0, 0.0);
        for piece in &pieces {
            let said = piece.reference.contains(speaker);
            let found = mapping.get(speaker).is_some_and(|h| piece.hypothesis.contains(h));
            both += if said && found { piece.length } else { 0.0 };
            either += if said || found { piece.length } else { 0.0 };
        }
        1.0 - both / either
    };
    if speakers.is_empty() { 0.0 } else { speakers.iter().map(error).sum::<f64>() / speakers.len() as f64 }
}

fn pieces(reference: &[Turn], hypothesis: &[Turn], collar: f64) -> Vec<Piece> {
    let bounds = |turns: &[Turn]| turns.iter().flat_map(|t| [t.start, t.end]).collect::<Vec<_>>();
    let edges = bounds(reference);
    let mut cuts: Vec<f64> = edges.iter().flat_map(|e| [e - collar / 2.0, *e, e + collar / 2.0]).collect();
    cuts.extend(bounds(hypothesis));
    cuts.sort_by(f64::total_cmp);
    let speaking = |turns: &[Turn], at: f64| {
        let mut who: Vec<usize> = turns.iter().filter(|t| t.start <= at && at < t.end).map(|t| t.speaker).collect();
        who.sort_unstable();
        who.dedup();
        who
    };
    cuts.windows(2)
        .filter(|w| w[1] > w[0])
        .map(|w| (w[1] - w[0], w[0].midpoint(w[1])))
        .filter(|(_, at)| !edges.iter().any(|e| (e - at).abs() < collar / 2.0))
        .map(|(length, at)| Piece { length, reference: speaking(reference, at), hypothesis: speaking(hypothesis, at) })
        .collect()
}

/// The one-to-one mapping from reference to hypothesis speakers that agrees longest.
fn best_mapping(pieces: &[Piece]) -> BTreeMap<usize, usize> {
    let mut shared: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for piece in pieces {
        for &r in &piece.reference {
            for &h in &piece.hypothesis {
                *shared.entry((r, h)).or_default() += piece.length;
            }
        }
    }
    let names = |pick: fn(&(usize, usize)) -> usize| {
        let mut names: Vec<usize> = shared.keys().map(pick).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (rows, columns) = (names(|k| k.0), names(|k| k.1));
    let weight = |r: usize, c: usize| shared.get(&(rows[r], columns[c])).copied().unwrap_or(0.0);
    let transposed = columns.len() > rows.len();
    let pairs = if transposed {
        assign(columns.len(), rows.len(), |c, r| weight(r, c)).into_iter().map(|(c, r)| (r, c)).collect()
    } else {
        assign(rows.len(), columns.len(), weight)
    };
    pairs.into_iter().map(|(r, c)| (rows[r], columns[c])).collect()
}

/// Speakers on the smaller side that are assigned exactly: the table has 2¹⁶ entries a row.
const EXACT: usize = 16;

/// Pairs of `many` and `few` (`few <= many`) of greatest total weight, by dynamic programming over the set of `few` that is
/// taken; beyond [`EXACT`] only the first ones take part.
fn assign(many: usize, few: usize, weight: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let few = few.min(EXACT);
    let mut best: Vec<(f64, Vec<(usize, usize)>)> = vec![(f64::NEG_INFINITY, Vec::new()); 1 << few];
    best[0].0 = 0.0;
    for row in 0..many {
        // From larger sets to smaller ones, so that this row is taken once.
        for set in (0..best.len()).rev() {
            if best[set].0 == f64::NEG_INFINITY {
                continue;
            }
            for column in (0..few).filter(|c| set >> c & 1 == 0) {
                let score = best[set].0 + weight(row, column);
                let next = set | 1 << column;
                if score > best[next].0 {
                    let mut pairs = best[set].1.clone();
                    pairs.push((row, column));
                    best[next] = (score, pairs);
                }
            }
        }
    }
    let top = best.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    top.map(|(_, pairs)| pairs).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(list: &[(usize, f64, f64)]) -> Vec<Turn> {
        list.iter().map(|&(speaker, start, end)| Turn { speaker, start, end }).collect()
    }

    fn errors(reference: &[(usize, f64, f64)], hypothesis: &[(usize, f64, f64)], collar: f64) -> [f64; 4] {
        let e = diarization_errors(&turns(reference), &turns(hypothesis), Scoring { collar });
        [e.total, e.missed, e.false_alarm, e.confusion].map(|x| (x * 1e6).round() / 1e6)
    }

    #[test]
    fn the_names_of_speakers_do_not_matter() {
        assert_eq!(errors(&[(0, 0., 5.), (1, 5., 9.)], &[(7, 0., 5.), (3, 5., 9.)], 0.), [9., 0., 0., 0.]);
    }

    #[test]
    fn each_kind_of_error_is_told_apart() {
        assert_eq!(errors(&[(0, 0., 10.)], &[(0, 1., 12.)], 0.), [10., 1., 2., 0.]);
        assert_eq!(errors(&[(0, 0., 6.), (1, 6., 10.)], &[(0, 0., 10.)], 0.), [10., 0., 0., 4.]);
    }

    #[test]
    fn overlapping_speakers_count_each() {
        assert_eq!(errors(&[(0, 0., 10.), (1, 4., 6.)], &[(0, 0., 10.)], 0.), [12., 2., 0., 0.]);
    }

    #[test]
    fn the_mapping_that_agrees_longest_wins_over_the_greedy_one() {
        let reference = [(0, 0., 5.), (0, 10., 14.), (1, 5., 9.)];
        let hypothesis = [(0, 0., 5.), (1, 10., 14.), (0, 5., 9.)];
        // 0→0 agrees 5 s and leaves 1 without a match; 0→1 and 1→0 agree 8 s.
        assert_eq!(errors(&reference, &hypothesis, 0.), [13., 0., 0., 5.]);
    }

    #[test]
    fn a_collar_forgives_boundaries_of_the_reference() {
        assert_eq!(errors(&[(0, 1., 9.)], &[(0, 1.2, 9.2)], 0.5), [7.5, 0., 0., 0.]);
    }

    #[test]
    fn more_found_than_real_speakers_leave_one_without_a_match() {
        assert_eq!(errors(&[(0, 0., 10.)], &[(0, 0., 4.), (1, 4., 10.)], 0.), [10., 0., 0., 4.]);
    }

    #[test]
    fn nothing_said_and_nothing_found_is_no_error() {
        assert_eq!(diarization_errors(&[], &[], Scoring::default()).rate(), 0.0);
    }

    #[test]
    fn the_jaccard_error_weighs_every_speaker_the_same() {
        let reference = turns(&[(0, 0., 90.), (1, 90., 100.)]);
        let found = turns(&[(0, 0., 100.)]);
        let rate = jaccard_error_rate(&reference, &found);
        assert!((rate - (0.1 + 1.0) / 2.0).abs() < 1e-9, "{rate}");
    }
}
