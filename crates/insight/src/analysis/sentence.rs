//! A transcript as sentences of words. Its one invariant: a word knows the bytes of its segment that it stands for, so that whatever is
//! said about it can be quoted and cited.

use speech::{transcript::Transcript, writing};

use super::lexicon::Lexicon;
use crate::redact::{
    Kind,
    item::{Item, Style, items},
    numeral::Language,
    token::{Page, fold},
};

/// Words of the longest sentence; people who never pause are cut here, so that every look around stays short.
const SENTENCE_WORDS: usize = 80;

/// A word without the marks around it.
pub(super) struct Word<'t> {
    /// As it is written.
    pub(super) raw: &'t str,
    /// Folded: lower case, no diacritics, straight apostrophes.
    pub(super) key: String,
    /// Its first byte in the segment.
    pub(super) start: usize,
    /// The byte behind it.
    pub(super) end: usize,
    /// A comma or the like stands behind it.
    pub(super) pause: bool,
    /// It begins with a capital letter.
    pub(super) capital: bool,
    /// What a redaction has put here.
    pub(super) placeholder: Option<Kind>,
}

/// A number in words or digits.
#[derive(Clone, Copy)]
pub(super) struct Number {
    /// Its first word.
    pub(super) first: usize,
    /// Words that it is long.
    pub(super) words: usize,
    pub(super) value: f64,
}

/// What somebody said between two full stops.
pub(super) struct Sentence<'t> {
    /// Index of its segment.
    pub(super) segment: usize,
    /// Index of its speaker; that of no speaker where the transcript names none.
    pub(super) speaker: usize,
    pub(super) language: Language,
    pub(super) text: &'t str,
    pub(super) words: Vec<Word<'t>>,
    pub(super) numbers: Vec<Number>,
    /// It ends with a question mark.
    pub(super) question: bool,
}

impl<'t> Sentence<'t> {
    pub(super) fn lexicon(&self) -> &'static Lexicon {
        Lexicon::of(self.language)
    }

    /// The number that begins with the word `at`.
    pub(super) fn number(&self, at: usize) -> Option<Number> {
        self.numbers.iter().copied().find(|number| number.first == at)
    }

    pub(super) fn key(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.key.as_str())
    }

    /// The words `first..end` as they were said, with the marks between them.
    pub(super) fn quote(&self, first: usize, end: usize) -> &'t str {
        let (Some(from), Some(to)) = (self.words.get(first), end.checked_sub(1).and_then(|last| self.words.get(last)))
        else {
            return "";
        };
        let origin = self.words[0].start;
        self.text.get(from.start - origin..to.end - origin).unwrap_or("")
    }
}

/// All sentences of `transcript`, in order.
pub(super) fn sentences(transcript: &Transcript) -> Vec<Sentence<'_>> {
    let page = Page::of(transcript);
    let items = items(&page);
    let mut sentences = Vec::new();
    for (index, segment) in transcript.segments.iter().enumerate() {
        let language = segment.language.as_deref().or(transcript.language.as_deref()).and_then(Language::of);
        let Some(language) = language else { continue };
        let words = words(&segment.text);
        let mut first = 0;
        for at in 0..words.len() {
            if at + 1 < words.len() && at + 1 - first < SENTENCE_WORDS && !ends(&segment.text, &words, at, language) {
                continue;
            }
            let numbers = numbers(&words[first..=at], index, &page, &items, language);
            let end = words.get(at + 1).map_or(segment.text.len(), |next| next.start);
            let text = segment.text[words[first].start..end].trim();
            sentences.push(Sentence {
                segment: index,
                speaker: page.places[index].speaker,
                language,
                text,
                question: text.trim_end_matches(['"', '\'', '”', ')']).ends_with('?'),
                words: words[first..=at].iter().map(Word::copy).collect(),
                numbers,
            });
            first = at + 1;
        }
    }
    sentences
}

impl<'t> Word<'t> {
    fn copy(&self) -> Self {
        Self { key: self.key.clone(), ..*self }
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() || matches!(c, '—' | '–') {
            at += c.len_utf8();
            continue;
        }
        let placeholder = Kind::placeholder_at(&text[at..]);
        let gap = |c: char| c.is_whitespace() || matches!(c, '—' | '–');
        let length = match placeholder {
            Some(kind) => kind.placeholder().len(),
            None => text[at..].find(gap).unwrap_or(text.len() - at),
        };
        let whole = &text[at..at + length];
        let raw = if placeholder.is_some() { whole } else { whole.trim_matches(is_mark) };
        let start = at + whole.find(raw).unwrap_or(0);
        at += length;
        if raw.is_empty() {
            continue;
        }
        let behind = &text[start + raw.len()..];
        let pause = behind.trim_start().starts_with([',', ';', ':', '—', '–', '-']) || behind.starts_with('…');
        let capital = raw.chars().next().is_some_and(char::is_uppercase);
        let key = fold(raw).replace('’', "'");
        words.push(Word { raw, key, start, end: start + raw.len(), pause, capital, placeholder });
    }
    words
}

/// Marks around words that are no part of them; a currency sign or per cent is.
fn is_mark(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, '$' | '€' | '£' | '¥' | '₹' | '%' | '+')
}

/// Whether a sentence ends behind the word `at`.
fn ends(text: &str, words: &[Word<'_>], at: usize, language: Language) -> bool {
    let (word, next) = (&words[at], &words[at + 1]);
    let between = &text[word.end..next.start];
    if !writing::ends_sentence(between.trim_end()) {
        return false;
    }
    let lexicon = Lexicon::of(language);
    let abbreviation = between.starts_with('.') && lexicon.holds("abbreviation", &word.key);
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let follows = |section: &str| lexicon.holds(section, &next.key);
    // "am 19. Dezember", "vom 10. bis zum 20. April"
    let ordinal = digits(&word.key) && (follows("month") || (follows("till") && !next.capital));
    // "am 24.4. um zehn"
    let date = word.key.split_once('.').is_some_and(|(day, month)| digits(day) && digits(month));
    let ordinal = between.starts_with('.') && language != Language::En && (ordinal || (date && !next.capital));
    !abbreviation && !ordinal
}

/// Numbers among `words` of one segment: those in words by the grammar of redaction, those in digits as they are written.
fn numbers(words: &[Word<'_>], segment: usize, page: &Page, items: &[Item], language: Language) -> Vec<Number> {
    let mut numbers: Vec<Number> = Vec::new();
    let mut at = 0;
    let here = |item: &&Item| page.tokens[item.first].segment == segment;
    let from = items.partition_point(|item| page.tokens[item.first].segment < segment);
    while at < words.len() {
        let spoken =
            items[from..].iter().take_while(here).find(|item| page.tokens[item.first].start == words[at].start);
        let number = match spoken {
            Some(item) if item.style != Style::Written => {
                let end = page.tokens[item.last].end;
                let last = (at..words.len()).find(|index| words[*index].end == end);
                last.zip(item.digits.parse().ok()).map(|(last, value)| (last + 1 - at, value))
            }
            _ => grouped(&words[at..], language),
        };
        if let Some((count, value)) = number {
            numbers.push(Number { first: at, words: count, value });
            at += count;
        } else {
            at += 1;
        }
    }
    if language == Language::En { hundreds(words, &numbers) } else { numbers }
}

/// "Twelve hundred fifty", which redaction reads as two numbers, because people dictate telephone numbers so.
fn hundreds(words: &[Word<'_>], numbers: &[Number]) -> Vec<Number> {
    let mut joined: Vec<Number> = Vec::new();
    for number in numbers {
        let end = |last: &Number| last.first + last.words;
        let counts = |last: &&mut Number| {
            let teen = (11.0..100.0).contains(&last.value) && last.value % 10.0 > 0.0 && last.value.fract() == 0.0;
            teen && end(last) == number.first && !words[number.first - 1].pause && words[number.first].key == "hundred"
        };
        match joined.last_mut().filter(counts) {
            // "Hundred" alone is a hundred.
            Some(last) => {
                (last.value, last.words) = ((last.value - 1.0) * 100.0 + number.value, last.words + number.words);
            }
            None => joined.push(*number),
        }
    }
    joined
}

/// Digits with spaces between groups of three, as languages other than English write thousands: "1 234,56".
fn grouped(words: &[Word<'_>], language: Language) -> Option<(usize, f64)> {
    let is_digits = |raw: &str| raw.bytes().all(|byte| byte.is_ascii_digit());
    let first = words.first()?.raw;
    let is_first =
        language != Language::En && (1..=3).contains(&first.len()) && is_digits(first) && !first.starts_with('0');
    // A group has three digits; decimals follow the last one.
    let is_group = |word: &Word<'_>| {
        let (group, decimals) = word.raw.split_once([',', '.']).unwrap_or((word.raw, ""));
        group.len() == 3 && is_digits(group) && is_digits(decimals)
    };
    let follows = |pair: &&[Word<'_>]| is_first && !pair[0].pause && is_group(&pair[1]);
    let groups = words.windows(2).take_while(follows).count();
    let joined: String = words[..=groups].iter().map(|word| word.raw).collect();
    written(&joined, language).map(|value| (groups + 1, value))
}

/// The value of "1,500.50", "$99", "20%": the last separator is that of decimals unless three digits follow it.
fn written(raw: &str, language: Language) -> Option<f64> {
    // "R$" and "US$" begin with letters.
    let raw = raw.find('$').map_or(raw, |sign| if sign <= 2 { &raw[sign..] } else { raw });
    let bare = raw.trim_matches(['$', '€', '£', '¥', '₹', '%', '+']);
    if !bare.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',')) || bare.is_empty() {
        return None;
    }
    let Some(last) = bare.rfind(['.', ',']) else { return bare.parse().ok() };
    let decimals = bare.len() - last - 1;
    let mark = &bare[last..=last];
    let thousands = if language == Language::En { "," } else { "." };
    let one = bare.matches(['.', ',']).count() == 1;
    let groups = decimals == 3 && (mark == thousands || !one);
    let digits = |part: &str| part.replace(['.', ','], "");
    if groups {
        return digits(bare).parse().ok();
    }
    format!("{}.{}", digits(&bare[..last]), &bare[last + 1..]).parse().ok()
}
