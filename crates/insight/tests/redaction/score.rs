//! Recall and precision on the labelled table. What has to be found is hit when every word of it is taken out under its kind; a finding
//! is right when it touches something of its kind; words that a finding takes out beyond are spilled.

use std::{collections::BTreeMap, fmt};

use insight::redact::{Kind, Policy, redact};

use crate::table::{NAMES, Utterance, WORD};

#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) expected: usize,
    pub(crate) hit: usize,
    pub(crate) found: usize,
    pub(crate) right: usize,
    pub(crate) spilled: usize,
}

impl Tally {
    pub(crate) fn recall(&self) -> f64 {
        if self.expected == 0 { 1.0 } else { self.hit as f64 / self.expected as f64 }
    }

    pub(crate) fn precision(&self) -> f64 {
        if self.found == 0 { 1.0 } else { self.right as f64 / self.found as f64 }
    }

    fn add(&mut self, other: Self) {
        self.expected += other.expected;
        self.hit += other.hit;
        self.found += other.found;
        self.right += other.right;
        self.spilled += other.spilled;
    }
}

/// Tallies by kind and language, and what went wrong.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) tallies: BTreeMap<(Kind, String), Tally>,
    pub(crate) wrong: Vec<String>,
    utterances: usize,
    without: usize,
}

impl Score {
    pub(crate) fn of(utterances: &[Utterance], policy: &Policy) -> Self {
        let mut score = Self { utterances: utterances.len(), ..Self::default() };
        for utterance in utterances {
            score.take(utterance, policy);
        }
        score
    }

    pub(crate) fn total(&self, kind: Kind) -> Tally {
        let mut total = Tally::default();
        self.tallies.iter().filter(|((of, _), _)| *of == kind).for_each(|(_, tally)| total.add(*tally));
        total
    }

    fn take(&mut self, utterance: &Utterance, policy: &Policy) {
        self.without += usize::from(utterance.expected.is_empty());
        let redacted = redact(utterance.transcript.clone(), policy).expect("it ends");
        let word = |seconds: f64| (seconds / WORD).round() as usize;
        let mut wrong = false;
        for kind in Kind::ALL {
            let findings: Vec<_> = redacted.findings.iter().filter(|finding| finding.kind == kind).collect();
            let covered =
                |at: usize| findings.iter().any(|f| (word(f.start_seconds)..word(f.end_seconds)).contains(&at));
            let of_kind: Vec<_> = utterance.expected.iter().filter(|expected| expected.kind == kind).collect();
            let meant = |at: usize| of_kind.iter().any(|expected| expected.words.contains(&at));
            let words = |f: &&insight::redact::Finding| word(f.start_seconds)..word(f.end_seconds);
            let tally = Tally {
                expected: of_kind.len(),
                hit: of_kind.iter().filter(|expected| expected.words.iter().all(|at| covered(*at))).count(),
                found: findings.len(),
                right: findings.iter().filter(|f| words(f).any(meant)).count(),
                spilled: findings.iter().flat_map(words).filter(|at| !meant(*at)).count(),
            };
            wrong |= tally.hit < tally.expected || tally.right < tally.found || tally.spilled > 0;
            self.tallies.entry((kind, utterance.language.clone())).or_default().add(tally);
        }
        if wrong {
            let texts: Vec<&str> = redacted.transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
            let said: Vec<&str> = utterance.transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
            self.wrong.push(format!("{} {}\n   {}", utterance.language, said.join(" | "), texts.join(" | ")));
        }
    }
}

/// What the table's policy takes out: everything.
pub(crate) fn everything() -> Policy {
    Policy::new(Kind::ALL).with_names(NAMES.map(str::to_owned))
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} utterances, {} of them without anything to take out\n", self.utterances, self.without)?;
        writeln!(
            f,
            "| kind | language | marked | recall | findings | precision | words spilled |\n|---|---|--:|--:|--:|--:|--:|"
        )?;
        for kind in Kind::ALL {
            for ((_, language), tally) in self.tallies.iter().filter(|((of, _), _)| *of == kind) {
                row(f, kind, language, tally)?;
            }
            row(f, kind, "all", &self.total(kind))?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, kind: Kind, language: &str, tally: &Tally) -> fmt::Result {
    let Tally { expected, found, spilled, .. } = tally;
    let (recall, precision) = (tally.recall(), tally.precision());
    writeln!(f, "| {kind:?} | {language} | {expected} | {recall:.3} | {found} | {precision:.3} | {spilled} |")
}
