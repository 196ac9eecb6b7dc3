//! What a transcript holds: words, numbers and days, by segment. Its one invariant: it is made of the transcript alone, by the same code that
//! reads a model's text, so that the two are compared in one form.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use rust_stemmers::{Algorithm, Stemmer};
use speech::transcript::Transcript;

use crate::{
    analysis::{
        amount::amounts,
        lexicon::Lexicon,
        sentence::{Sentence, sentences},
        when::{Mention, mentions},
    },
    redact::{
        item::{Style, items},
        numeral::Language,
        token::{Form, Page, fold},
    },
};

/// Letters of the shortest word that carries meaning, of a script with and one without capitals.
const LETTERS: usize = 3;
const LETTERS_UNCASED: usize = 2;

/// What a text holds.
#[derive(Default)]
pub(super) struct Held {
    /// Its words, folded.
    pub(super) words: BTreeSet<String>,
    /// Stems of the words that carry meaning; pairs of letters where no spaces are written.
    pub(super) stems: BTreeSet<String>,
    /// Its numbers, written or spoken, in one form: "12.5".
    pub(super) numbers: BTreeSet<String>,
    /// Its days, counted from the day of the call.
    pub(super) days: BTreeSet<NaiveDate>,
}

impl Held {
    fn add(&mut self, other: &Self) {
        self.words.extend(other.words.iter().cloned());
        self.stems.extend(other.stems.iter().cloned());
        self.numbers.extend(other.numbers.iter().cloned());
        self.days.extend(&other.days);
    }
}

/// Reads texts of one call.
pub(super) struct Reader {
    stemmer: Option<Stemmer>,
    /// The language that lists of words are taken from; English where there are none.
    pub(super) language: Language,
    today: Option<NaiveDate>,
}

impl Reader {
    pub(super) fn new(transcript: &Transcript, today: Option<NaiveDate>) -> Self {
        let known = transcript.language.as_deref().and_then(Language::of);
        let stemmer = known.map(|language| {
            Stemmer::create(match language {
                Language::En => Algorithm::English,
                Language::De => Algorithm::German,
                Language::Fr => Algorithm::French,
                Language::Es => Algorithm::Spanish,
                Language::Pt => Algorithm::Portuguese,
            })
        });
        Self { stemmer, language: known.unwrap_or(Language::En), today }
    }

    /// What each segment of `transcript` holds.
    pub(super) fn read(&self, transcript: &Transcript) -> Vec<Held> {
        let mut held: Vec<Held> = transcript.segments.iter().map(|_| Held::default()).collect();
        let page = Page::of(transcript);
        for token in &page.tokens {
            let held = &mut held[token.segment];
            match token.form {
                Form::Word => {
                    held.stems.extend(self.stems(&token.key));
                    held.words.insert(token.key.clone());
                }
                Form::Digits => _ = held.numbers.insert(number(&token.key)),
                Form::Mark(_) | Form::Placeholder(_) => {}
            }
        }
        for item in items(&page).iter().filter(|item| item.style != Style::Written) {
            held[page.tokens[item.first].segment].numbers.insert(number(&item.digits));
        }
        for sentence in sentences(transcript) {
            let held = &mut held[sentence.segment];
            held.numbers.extend(values(&sentence).into_iter().map(|(.., value)| value));
            held.numbers.extend(ordinals(&sentence));
            held.days.extend(self.mentions(&sentence).iter().filter_map(|mention| mention.date));
        }
        held
    }

    pub(super) fn mentions(&self, sentence: &Sentence<'_>) -> Vec<Mention> {
        mentions(sentence, self.today)
    }

    /// The stems of a folded word; none where it carries no meaning.
    fn stems(&self, key: &str) -> Vec<String> {
        let letters: Vec<char> = key.chars().collect();
        if letters.iter().any(|c| is_unspaced(*c)) {
            return letters.windows(2).map(|pair| pair.iter().collect()).collect();
        }
        let shortest = if key.is_ascii() { LETTERS } else { LETTERS_UNCASED };
        if letters.len() < shortest || Lexicon::of(self.language).holds("stop", key) {
            return Vec::new();
        }
        vec![self.stemmer.as_ref().map_or_else(|| key.to_owned(), |stemmer| stemmer.stem(key).into_owned())]
    }
}

/// Scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana and ideographs.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Digits in one form, without leading zeros.
pub(super) fn number(digits: &str) -> String {
    let bare = digits.trim_start_matches('0');
    if bare.is_empty() { "0".to_owned() } else { bare.to_owned() }
}

/// Numbers of a sentence with their first word and the word behind: those that count something as what they come to ("1.2 million").
pub(super) fn values(sentence: &Sentence<'_>) -> Vec<(usize, usize, String)> {
    let amounts: Vec<_> = amounts(sentence).iter().map(|one| (one.first, one.end, one.value.to_string())).collect();
    let covered = |at: usize| amounts.iter().any(|(first, end, _)| (*first..*end).contains(&at));
    let others = sentence.numbers.iter().filter(|one| !covered(one.first));
    let others = others.map(|one| (one.first, one.first + one.words, one.value.to_string()));
    others.chain(amounts.iter().cloned()).collect()
}

/// "nineteenth" is a 19.
fn ordinals(sentence: &Sentence<'_>) -> Vec<String> {
    let hit = |at: usize| sentence.lexicon().find("ordinal", &sentence.words, at);
    (0..sentence.words.len()).filter_map(hit).map(|hit| hit.value.to_string()).collect()
}

/// A transcript, and what each of its segments holds that a model was shown; the others hold nothing.
pub(super) struct Ground<'t> {
    pub(super) transcript: &'t Transcript,
    pub(super) reader: Reader,
    segments: Vec<Held>,
    /// Where the segment of an id is.
    ids: HashMap<&'t str, usize>,
    whole: Held,
    /// What each speaker is called, word by word, folded: label and name.
    names: Vec<Vec<String>>,
    /// Each segment's words in one line, folded, with a space around each.
    lines: Vec<String>,
}

impl<'t> Ground<'t> {
    pub(super) fn new(transcript: &'t Transcript, shown: &BTreeSet<usize>, today: Option<NaiveDate>) -> Self {
        let reader = Reader::new(transcript, today);
        let mut segments = reader.read(transcript);
        let hidden = segments.iter_mut().enumerate().filter(|(at, _)| !shown.contains(at));
        hidden.for_each(|(_, held)| *held = Held::default());
        let mut whole = Held::default();
        segments.iter().for_each(|held| whole.add(held));
        let labels = transcript.speakers.iter().flat_map(|one| [Some(&one.label), one.display_name.as_ref()]);
        let parts = |label: &String| {
            label.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).map(fold).collect()
        };
        let names = labels.flatten().map(parts).collect();
        let mut lines = vec![String::from(" "); transcript.segments.len()];
        let page = Page::of(transcript);
        let said = page.tokens.iter().filter(|token| !token.key.is_empty() && shown.contains(&token.segment));
        for token in said {
            lines[token.segment] += &format!("{} ", token.key);
        }
        let ids = transcript.segments.iter().enumerate().map(|(at, segment)| (segment.id.as_str(), at)).collect();
        Self { transcript, reader, segments, ids, whole, names, lines }
    }

    /// The index of the segment that is called `id`.
    pub(super) fn segment(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// All that the call holds.
    pub(super) fn whole(&self) -> &Held {
        &self.whole
    }

    /// What some segments hold, with those around them: people answer in the next segment what was asked in the last.
    pub(super) fn around(&self, cited: &[usize]) -> Held {
        let mut held = Held::default();
        for at in cited {
            for near in at.saturating_sub(1)..=at + 1 {
                held.add(self.segments.get(near).unwrap_or(&Held::default()));
            }
        }
        held
    }

    /// Whether a folded word is said in the call or part of a speaker's name.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.whole.words.contains(key) || self.names.iter().flatten().any(|name| name == key)
    }

    /// Stems of the words of a text that carry meaning. The name of a speaker carries none: the whole of it, or its first or last word, one of
    /// the two in all of the text. A name is what somebody else may have chosen, and a text may say no more by its words than the name.
    pub(super) fn meant(&self, text: &Transcript) -> BTreeSet<String> {
        let page = Page::of(text);
        let words: Vec<&str> =
            page.tokens.iter().filter(|token| token.form == Form::Word).map(|token| token.key.as_str()).collect();
        let mut is_name = vec![false; words.len()];
        for name in self.names.iter().filter(|name| !name.is_empty()) {
            let whole =
                |at: usize| words[at..].iter().zip(name).filter(|(word, part)| word == part).count() == name.len();
            for at in (0..words.len()).filter(|at| whole(*at)) {
                is_name[at..at + name.len()].fill(true);
            }
            let short = |word: &&str| {
                name.first().is_some_and(|first| first == word) || name.last().is_some_and(|last| last == word)
            };
            let alone =
                words.iter().zip(&is_name).find(|(word, is_name)| !**is_name && short(word)).map(|(word, _)| *word);
            for (word, is_name) in words.iter().zip(&mut is_name) {
                *is_name |= alone == Some(*word);
            }
        }
        let meant = words.iter().zip(&is_name).filter(|(_, is_name)| !**is_name);
        meant.flat_map(|(word, _)| self.reader.stems(word)).collect()
    }

    /// Whether one of the segments says these folded words, one after the other.
    pub(super) fn says(&self, segments: impl IntoIterator<Item = usize>, keys: &[&str]) -> bool {
        let line = format!(" {} ", keys.join(" "));
        !keys.is_empty() && segments.into_iter().any(|at| self.lines.get(at).is_some_and(|said| said.contains(&line)))
    }

    pub(super) fn all(&self) -> std::ops::Range<usize> {
        0..self.lines.len()
    }
}
