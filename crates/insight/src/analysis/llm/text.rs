//! Whether a text of a model may stand in an analysis. Its one invariant: a text that passes holds no link, address, mark-up or full
//! telephone number, and no number, day or name that the transcript does not hold; most of what it says is said there.
//!
//! What cannot be told is refused. Names are told by capitals, so in German only behind a title, and not at all in scripts without capitals;
//! there the share of words that were said is what holds.

use std::ops::Range;

use speech::transcript::Transcript;

use super::ground::{Ground, Held, number, values};
use crate::{
    analysis::{
        lexicon::Lexicon,
        sentence::{Sentence, sentences},
    },
    export::text::clean,
    redact::{
        Kind, Policy,
        item::{Style, items},
        numeral::Language,
        page, redact_text,
        token::{Form, Page},
    },
};

/// Words in front of a verb that are a party of a call and no name.
const PARTIES: [&str; 32] = [
    "user",
    "contact",
    "customer",
    "client",
    "caller",
    "buyer",
    "seller",
    "vendor",
    "supplier",
    "agent",
    "speaker",
    "manager",
    "team",
    "company",
    "provider",
    "support",
    "patient",
    "doctor",
    "landlord",
    "tenant",
    "candidate",
    "interviewer",
    "participants",
    "parties",
    "both",
    "everyone",
    "nobody",
    "neither",
    "either",
    "someone",
    "they",
    "he",
];

/// What stands behind a subject.
const VERBS: [&str; 36] = [
    "will", "has", "have", "had", "is", "was", "are", "were", "would", "should", "shall", "must", "needs", "need",
    "wants", "can", "could", "may", "might", "to", "and", "or", "also", "then", "did", "does", "won't", "can't",
    "said", "told", "sent", "paid", "got", "met", "gave", "took",
];

/// Ends of words that are no name's: "discussion", "meeting".
const NO_NAME: [&str; 9] = ["ion", "ions", "ment", "ness", "ity", "ing", "ance", "ence", "ed"];

impl Ground<'_> {
    /// `raw` in one line, with the names of speakers in place of their ids, where it may stand: it has at most `most` characters, and what it
    /// says is in `held`.
    pub(super) fn text(&self, raw: &str, most: usize, held: &Held) -> Option<String> {
        let text = self.with_labels(&clean(raw));
        let stands = !text.is_empty() && text.chars().count() <= most && !is_marked_up(&text) && self.is_private(&text);
        (stands && self.is_grounded(&text, held)).then_some(text)
    }

    /// `raw`, where one of `segments` says it word for word.
    pub(super) fn quote(&self, raw: &str, most: usize, segments: &[usize]) -> Option<String> {
        let text = clean(raw);
        let short = !text.is_empty() && text.chars().count() <= most && !is_marked_up(&text);
        let page = Page::of(&page(text.clone(), None));
        let keys: Vec<&str> =
            page.tokens.iter().map(|token| token.key.as_str()).filter(|key| !key.is_empty()).collect();
        (short && self.says(segments.iter().copied(), &keys) && self.is_private(&text)).then_some(text)
    }

    /// A word or two that describe: small letters alone, so that nothing can be told by it.
    pub(super) fn descriptor(raw: &str) -> Option<String> {
        let text = clean(raw);
        let fits = !text.is_empty() && text.chars().count() <= super::WORD && text.split(' ').count() <= 2;
        let is_plain = |c: char| matches!(c, ' ' | '-') || (c.is_alphabetic() && !c.is_uppercase());
        (fits && text.chars().all(is_plain)).then_some(text)
    }

    fn with_labels(&self, text: &str) -> String {
        self.transcript.speakers.iter().rev().fold(text.to_owned(), |text, speaker| {
            let name = speaker.display_name.as_ref().unwrap_or(&speaker.label);
            text.replace(&format!("({})", speaker.speaker_id), "").replace(&speaker.speaker_id, name).replace("  ", " ")
        })
    }

    /// Nothing is left to take out of it.
    fn is_private(&self, text: &str) -> bool {
        let policy = Policy::new([Kind::EmailAddress, Kind::PaymentCard, Kind::Iban]);
        redact_text(text.to_owned(), self.transcript.language.as_deref(), &policy)
            .is_ok_and(|redacted| redacted == text)
    }

    fn is_grounded(&self, text: &str, held: &Held) -> bool {
        // The 1 of "Speaker 1" counts nothing.
        let labels = self.transcript.speakers.iter().map(|speaker| &speaker.label).filter(|label| !label.is_empty());
        let text = labels.fold(text.to_owned(), |text, label| text.replace(label.as_str(), ""));
        // Lists of words are English where the language has none.
        let known = self.transcript.language.as_deref().filter(|code| Language::of(code).is_some());
        let page = page(text, known.or(Some("en")));
        let sentences = sentences(&page);
        let days = self.days(&sentences, held);
        days.is_some_and(|days| holds_numbers(&page, &sentences, &days, held))
            && sentences.iter().all(|sentence| self.names_nobody_new(sentence))
            && self.is_said(&page, held)
    }

    /// The bytes of the days of a text; nothing where one of them was not spoken of.
    fn days(&self, sentences: &[Sentence<'_>], held: &Held) -> Option<Vec<Range<usize>>> {
        let mut found = Vec::new();
        for sentence in sentences {
            for mention in self.reader.mentions(sentence) {
                let keys: Vec<&str> = (mention.first..mention.end).map(|at| sentence.key(at)).collect();
                let known = mention.date.is_some_and(|day| held.days.contains(&day)) || self.says(self.all(), &keys);
                if !known {
                    return None;
                }
                found.push(sentence.words[mention.first].start..sentence.words[mention.end - 1].end);
            }
        }
        Some(found)
    }

    /// Every capitalised word is said, but those that begin a sentence and are not its subject.
    fn names_nobody_new(&self, sentence: &Sentence<'_>) -> bool {
        (0..sentence.words.len()).all(|at| {
            let word = &sentence.words[at];
            if !word.capital || word.placeholder.is_some() {
                return true;
            }
            let parts: Vec<&str> =
                word.key.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() > 1).collect();
            let known = parts.iter().all(|part| self.knows(part));
            known || !self.may_be_name(sentence, at)
        })
    }

    fn may_be_name(&self, sentence: &Sentence<'_>, at: usize) -> bool {
        let titled =
            at > 0 && ["title", "introduction"].iter().any(|list| sentence.lexicon().holds(list, sentence.key(at - 1)));
        if at > 0 && sentence.language == Language::De {
            return titled;
        }
        if at > 0 {
            return true;
        }
        let (word, next) = (&sentence.words[0], sentence.key(1));
        let subject = VERBS.contains(&next)
            || word.pause
            || word.key.ends_with("'s")
            || next.len() > 3 && (next.ends_with('s') || next.ends_with("ed"))
            || sentence.words.get(1).is_some_and(|next| next.capital && !self.knows(&next.key));
        let common = PARTIES.contains(&word.key.as_str())
            || NO_NAME.iter().any(|end| word.key.ends_with(end))
            || sentence.lexicon().holds("stop", &word.key);
        sentence.language == Language::En && subject && !common
    }

    /// At least half of the words that carry meaning are said; every word where they carry none, as names do not.
    fn is_said(&self, page: &Transcript, held: &Held) -> bool {
        let words = self.reader.read(page).into_iter().next().unwrap_or_default();
        let meant = self.meant(page);
        let said = meant.intersection(&held.stems).count();
        match meant.len() {
            0 => words.words.iter().all(|word| held.words.contains(word)),
            count => said * 2 >= count,
        }
    }
}

/// Every number of a text is one that `held` has; those of days were looked at.
fn holds_numbers(page: &Transcript, sentences: &[Sentence<'_>], days: &[Range<usize>], held: &Held) -> bool {
    let of_day = |start: usize, end: usize| days.iter().any(|day| day.start <= start && end <= day.end);
    let mut read: Vec<Range<usize>> = Vec::new();
    for sentence in sentences {
        for (first, end, value) in values(sentence) {
            let (start, end) = (sentence.words[first].start, sentence.words[end - 1].end);
            if !of_day(start, end) && !held.numbers.contains(&value) && !is_pronoun(sentence, first) {
                return false;
            }
            read.push(start..end);
        }
    }
    let page = Page::of(page);
    let is_read =
        |start: usize, end: usize| of_day(start, end) || read.iter().any(|one| one.start <= start && end <= one.end);
    let written = page.tokens.iter().filter(|token| token.form == Form::Digits && !is_read(token.start, token.end));
    let mut written = written.map(|token| number(&token.key));
    let spoken = items(&page).into_iter().filter(|item| {
        item.style != Style::Written && !is_read(page.tokens[item.first].start, page.tokens[item.last].end)
    });
    let mut spoken = spoken.filter(|item| item.digits != "1").map(|item| number(&item.digits));
    written.all(|number| held.numbers.contains(&number)) && spoken.all(|number| held.numbers.contains(&number))
}

/// "One of them" counts nothing.
fn is_pronoun(sentence: &Sentence<'_>, at: usize) -> bool {
    Lexicon::of(sentence.language).holds("one", sentence.key(at))
}

/// Links, addresses, tags and marks; an analysis is plain text, whatever a call says.
fn is_marked_up(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mark = |c: char| matches!(c, '<' | '>' | '@' | '`' | '\\' | '{' | '}' | '|' | '^' | '~' | '#' | '*');
    text.contains(mark)
        || ["://", "](", "!["].iter().any(|sign| lower.contains(sign))
        || ["www.", "javascript:", "data:", "mailto:", "tel:", "seg_", "spk_", "&lt", "&#"]
            .iter()
            .any(|sign| lower.contains(sign))
        || lower.split_whitespace().any(is_domain)
}

/// "evil.example", "files.example/x?y=": letters behind a point, without a space between.
fn is_domain(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '.');
    let host = word.split(['/', '?', ':']).next().unwrap_or(word).trim_end_matches('.');
    let Some((name, ending)) = host.rsplit_once('.') else { return word.starts_with('/') };
    let letters = ending.chars().count() >= 2 && ending.chars().all(char::is_alphabetic);
    letters && name.chars().count() >= 2 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}
