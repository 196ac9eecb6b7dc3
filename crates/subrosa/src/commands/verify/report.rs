//! What was proved, rule by rule: for people, for machines, and as an exit code. Its one invariant: a rule is held only when each of its
//! checks was made and none found anything; what was not looked at is said, with the reason.

use std::fmt::Write as _;

use serde_json::{Value, json};
use server::verify::search::Searched;

use super::canaries::{CONTROL, RECORDING};
use crate::exit;

/// A rule of the privacy contract that is proved on an installation that runs: those that the contract marks, and H10.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rule {
    H1,
    H2,
    H3,
    H6,
    H8,
    H9,
    H10,
    H11,
    H13,
    H14,
}

/// All of them, with what they say.
const RULES: [(Rule, &str); 10] = [
    (Rule::H1, "raw audio is never at rest in the clear"),
    (Rule::H2, "raw audio is temporary"),
    (Rule::H3, "content is encrypted at rest, twice"),
    (Rule::H6, "tenants are isolated by the database"),
    (Rule::H8, "no personal data in logs"),
    (Rule::H9, "no personal data in metrics or traces"),
    (Rule::H10, "error reports carry no content"),
    (Rule::H11, "no public link to an artifact"),
    (Rule::H13, "deletion is real and atomic"),
    (Rule::H14, "retention is enforced"),
];

/// What came of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It was made, and nothing is wrong.
    Held,
    /// It found something.
    Broken,
    /// It could not be made.
    Unproven,
    /// Whoever asked did not want it.
    LeftOut,
}

/// One thing that was looked at.
struct Check {
    rule: Rule,
    /// What was searched or asked.
    looked: String,
    bytes: u64,
    verdict: Verdict,
    /// What was found, or why it could not be looked at.
    said: String,
}

/// All of a run.
#[derive(Default)]
pub(super) struct Report(Vec<Check>);

impl Report {
    pub(super) fn held(&mut self, rule: Rule, looked: impl Into<String>, said: impl Into<String>) {
        self.add(rule, looked, Verdict::Held, said);
    }

    /// Something could not be looked at.
    pub(super) fn unproven(&mut self, rule: Rule, looked: impl Into<String>, why: impl Into<String>) {
        self.add(rule, looked, Verdict::Unproven, why);
    }

    pub(super) fn left_out(&mut self, rule: Rule, looked: impl Into<String>) {
        self.add(rule, looked, Verdict::LeftOut, "left out, by --without");
    }

    /// Nothing is wrong, or all of these.
    pub(super) fn none_of(&mut self, rule: Rule, looked: impl Into<String>, wrong: &[String]) {
        match wrong {
            [] => self.held(rule, looked, "nothing wrong"),
            wrong => self.add(rule, looked, Verdict::Broken, wrong.join("; ")),
        }
    }

    pub(super) fn is(&mut self, rule: Rule, looked: impl Into<String>, is_so: bool, said: impl Into<String>) {
        self.add(rule, looked, if is_so { Verdict::Held } else { Verdict::Broken }, said);
    }

    /// The run ended early: nothing was looked at to its end.
    pub(super) fn stopped(&mut self, why: &str) {
        RULES.iter().for_each(|(rule, _)| self.unproven(*rule, "the rest of the run", why));
    }

    /// A place was searched: for recordings under one rule, for words under another one.
    pub(super) fn searched(&mut self, rules: &[Rule], place: &str, searched: &Searched) {
        self.controlled(rules, place, searched, None);
    }

    /// As [`Self::searched`], where finding nothing says nothing if the search was `blind`, and why it was.
    pub(super) fn controlled(&mut self, rules: &[Rule], place: &str, searched: &Searched, blind: Option<&str>) {
        for rule in rules {
            let concerns = |what: &str| match rule {
                Rule::H1 => what == RECORDING,
                Rule::H3 => what != RECORDING,
                _ => true,
            };
            let hits: Vec<_> = searched.hits.iter().filter(|(what, _)| **what != CONTROL && concerns(what)).collect();
            let said: Vec<_> = hits
                .iter()
                .map(|(what, hits)| format!("the {what}, {} times: {}", hits.count, hits.places.join(", ")))
                .collect();
            let (verdict, said) = match blind {
                _ if !said.is_empty() => (Verdict::Broken, format!("FOUND {}", said.join("; "))),
                Some(why) if searched.unreadable > 0 => {
                    (Verdict::Unproven, format!("{why}, and not all of it could be read; run it as root"))
                }
                Some(why) => (Verdict::Unproven, why.to_owned()),
                None if searched.unreadable > 0 => {
                    (Verdict::Unproven, "nothing found in what could be read; run it as root".to_owned())
                }
                None => (Verdict::Held, "nothing found".to_owned()),
            };
            self.0.push(Check {
                rule: *rule,
                looked: format!("{place}: {searched}"),
                bytes: searched.bytes,
                verdict,
                said,
            });
        }
    }

    fn add(&mut self, rule: Rule, looked: impl Into<String>, verdict: Verdict, said: impl Into<String>) {
        self.0.push(Check { rule, looked: looked.into(), bytes: 0, verdict, said: said.into() });
    }

    fn of(&self, rule: Rule) -> impl Iterator<Item = &Check> {
        self.0.iter().filter(move |check| check.rule == rule)
    }

    /// Broken by one broken check; else unproven by one that could not be made, or where none was. H10 alone may be left out whole: the
    /// contract does not have it proven on a system that runs.
    fn verdict(&self, rule: Option<Rule>) -> Verdict {
        let has =
            |verdict| self.0.iter().any(|check| rule.is_none_or(|rule| check.rule == rule) && check.verdict == verdict);
        let is_empty = |rule: &Rule| self.of(*rule).all(|check| check.verdict == Verdict::LeftOut);
        let is_left_out = |rule: Rule| rule == Rule::H10 && is_empty(&rule) && self.of(rule).next().is_some();
        let is_gap = |of: Rule| rule.is_none_or(|rule| rule == of) && is_empty(&of) && !is_left_out(of);
        let has_gap = || RULES.iter().any(|(of, _)| is_gap(*of));
        match () {
            () if has(Verdict::Broken) => Verdict::Broken,
            () if has(Verdict::Unproven) || has_gap() => Verdict::Unproven,
            () if rule.is_some_and(is_left_out) => Verdict::LeftOut,
            () => Verdict::Held,
        }
    }

    /// For monitors.
    pub(super) fn code(&self) -> u8 {
        match self.verdict(None) {
            Verdict::Broken => exit::BROKEN,
            Verdict::Unproven => exit::UNPROVEN,
            Verdict::Held | Verdict::LeftOut => exit::SUCCESS,
        }
    }

    /// For people: a line a rule, and below it a line a check.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (rule, title) in RULES {
            let bytes: u64 = self.of(rule).map(|check| check.bytes).sum();
            let mebibytes = bytes as f64 / f64::from(1 << 20);
            // Writing to a string does not fail.
            let _ =
                write!(text, "{rule:?} {}: {title}; {} checks", self.verdict(Some(rule)).name(), self.of(rule).count());
            let _ = if bytes > 0 { writeln!(text, ", {mebibytes:.1} MiB searched") } else { writeln!(text) };
            for Check { looked, verdict, said, .. } in self.of(rule) {
                let _ = writeln!(text, "    {:<8} {}", verdict.name(), exit::plain(&format!("{looked}: {said}")));
            }
        }
        text
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let rules = RULES.map(|(rule, title)| {
            let checks = self.of(rule).map(|Check { looked, bytes, verdict, said, .. }| {
                json!({"looked": looked, "bytes": bytes, "verdict": verdict.name(), "said": said})
            });
            let checks: Vec<_> = checks.collect();
            json!({"rule": format!("{rule:?}"), "title": title, "verdict": self.verdict(Some(rule)).name(), "checks": checks})
        });
        json!({"verdict": self.verdict(None).name(), "rules": rules})
    }
}

impl Verdict {
    fn name(&self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Broken => "BROKEN",
            Self::Unproven => "UNPROVEN",
            Self::LeftOut => "LEFT OUT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_faults_may_be_left_out_whole_and_no_rule_that_the_contract_marks() {
        for (whole, code) in [(Rule::H10, exit::SUCCESS), (Rule::H8, exit::UNPROVEN)] {
            let mut report = Report::default();
            for (rule, _) in RULES {
                match rule == whole {
                    true => report.left_out(rule, "all"),
                    false => report.held(rule, "all", "nothing"),
                }
            }
            assert_eq!(report.code(), code, "{whole:?}");
            assert_ne!(report.verdict(Some(whole)), Verdict::Held);
        }
    }

    #[test]
    fn a_rule_is_held_only_when_everything_about_it_was_looked_at_and_nothing_found() {
        let mut report = Report::default();
        assert_eq!(report.code(), exit::UNPROVEN, "nothing was looked at");
        for (rule, _) in RULES {
            report.held(rule, "all", "nothing");
        }
        assert_eq!(report.code(), exit::SUCCESS);
        report.left_out(Rule::H8, "the log");
        assert_eq!(report.code(), exit::SUCCESS);
        report.searched(&[Rule::H1, Rule::H3], "somewhere", &Searched { unreadable: 1, ..Searched::default() });
        assert_eq!((report.code(), report.verdict(Some(Rule::H1))), (exit::UNPROVEN, Verdict::Unproven));
        let mut found = Searched::default();
        report.controlled(&[Rule::H9], "nowhere", &found, Some("nothing of this run is there"));
        assert_eq!((report.code(), report.verdict(Some(Rule::H9))), (exit::UNPROVEN, Verdict::Unproven));
        found.hits.entry(RECORDING).or_default().count = 1;
        report.searched(&[Rule::H1, Rule::H3], "somewhere", &found);
        assert_eq!((report.code(), report.verdict(Some(Rule::H1))), (exit::BROKEN, Verdict::Broken));
        assert_eq!(report.verdict(Some(Rule::H3)), Verdict::Unproven, "a recording is no text");
        report.stopped("it was interrupted");
        assert_eq!((report.code(), report.verdict(Some(Rule::H14))), (exit::BROKEN, Verdict::Unproven));
        assert!(report.text().lines().next().unwrap().starts_with("H1 BROKEN: raw audio"), "{}", report.text());
    }
}
