//! The verb of a task and how far what it says goes. Its one invariant: a verb that is in no list makes no task.

use super::document::Intent;
use crate::analysis::lexicon::Lexicon;
use crate::analysis::sentence::Sentence;

/// Words between "have" and what is had done: "have our best technician visit".
const CAUSED_WITHIN: usize = 6;

/// Adverbs between a promise and its verb.
const ADVERBS: usize = 4;

/// The verb of a task.
pub(super) struct Verb {
    /// Its first word.
    pub(super) at: usize,
    pub(super) words: usize,
    pub(super) intent: Intent,
    /// It makes a task with a day only.
    pub(super) weak: bool,
    /// It is in no list: a task where something is done to something, or by a day.
    pub(super) open: bool,
}

/// The verb that follows at `from`, behind adverbs; none where what follows is denied or says no task.
pub(super) fn verb(sentence: &Sentence<'_>, from: usize) -> Option<Verb> {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    let mut at = from;
    for _ in 0..ADVERBS {
        at += lexicon
            .find("adverb", words, at)
            .filter(|_| plain(lexicon, sentence, at).is_none())
            .map_or(0, |hit| hit.words);
    }
    if lexicon.find("negation", words, at).is_some() || lexicon.find("no_promise", words, at).is_some() {
        return None;
    }
    if sentence.key(at) == "be" {
        return ongoing(lexicon, sentence, at + 1);
    }
    let listed = plain(lexicon, sentence, at).or_else(|| ongoing(lexicon, sentence, at));
    let verb = listed.or_else(|| caused(lexicon, sentence, at)).or_else(|| unlisted(lexicon, sentence, at))?;
    Some(Verb { intent: sent(sentence, &verb).unwrap_or(verb.intent), ..verb })
}

/// Letters of the shortest verb that is in no list.
const VERB_LETTERS: usize = 3;

/// Any other word that may be a verb.
fn unlisted(lexicon: &Lexicon, sentence: &Sentence<'_>, at: usize) -> Option<Verb> {
    let word = sentence.words.get(at)?;
    let verb = !word.capital
        && word.key.len() >= VERB_LETTERS
        && word.key.chars().all(char::is_alphabetic)
        && sentence.number(at).is_none()
        && !lexicon.holds("stop", &word.key)
        && lexicon.find("no_task", &sentence.words, at).is_none();
    verb.then_some(Verb { at, words: 1, intent: Intent::Task, weak: false, open: true })
}

fn plain(lexicon: &Lexicon, sentence: &Sentence<'_>, at: usize) -> Option<Verb> {
    let strong = lexicon.find("verbs", &sentence.words, at);
    let weak = lexicon.find("weak", &sentence.words, at);
    match (strong, weak) {
        (Some(hit), _) => Some(Verb { at, words: hit.words, intent: intent(hit.value), weak: false, open: false }),
        (None, Some(hit)) if lexicon.find("causative", &sentence.words, at).is_none() || hit.words > 1 => {
            Some(Verb { at, words: hit.words, intent: Intent::Task, weak: true, open: false })
        }
        (None, Some(hit)) => caused(lexicon, sentence, at).or(Some(Verb {
            at,
            words: hit.words,
            intent: Intent::Task,
            weak: true,
            open: false,
        })),
        (None, None) => None,
    }
}

/// "sending", "scheduling".
fn ongoing(lexicon: &Lexicon, sentence: &Sentence<'_>, at: usize) -> Option<Verb> {
    let stem = sentence.key(at).strip_suffix("ing")?;
    let base = [stem.to_owned(), format!("{stem}e")].into_iter().find(|base| lexicon.holds("verbs", base))?;
    let value = lexicon.entries("verbs").find(|(verb, _)| *verb == base)?.1;
    Some(Verb { at, words: 1, intent: intent(value), weak: false, open: false })
}

/// "have our technician visit you", "have it ready".
fn caused(lexicon: &Lexicon, sentence: &Sentence<'_>, at: usize) -> Option<Verb> {
    let hit = lexicon.find("causative", &sentence.words, at)?;
    let within = at + hit.words..sentence.words.len().min(at + hit.words + CAUSED_WITHIN);
    within.clone().find_map(|index| {
        let listed = ["verbs", "weak"].iter().any(|list| lexicon.find(list, &sentence.words, index).is_some());
        let done = lexicon.find("done", &sentence.words, index).is_some() || sentence.key(index).ends_with("ed");
        (index > at + hit.words && (listed || done)).then_some(Verb {
            at,
            words: hit.words,
            intent: Intent::Task,
            weak: false,
            open: false,
        })
    })
}

/// Words between "send" and what is sent: "send Mr. Lind a short message".
const SENT_WITHIN: usize = 4;

/// What it is that is sent, given or set, and how: "send me an e-mail", "set a reminder", "send it by e-mail".
fn sent(sentence: &Sentence<'_>, verb: &Verb) -> Option<Intent> {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    lexicon.find("sending", words, verb.at).filter(|_| verb.intent == Intent::Task)?;
    // "By mail" is by post as often.
    let by = |at: &usize| matches!(sentence.key(*at), "by" | "via") && sentence.key(at + 1) != "mail";
    if let Some(noun) = (verb.at..words.len()).filter(by).find_map(|at| lexicon.find("sent", words, at + 1)) {
        return Some(intent(noun.value));
    }
    let behind = verb.at + 1..words.len().min(verb.at + 1 + SENT_WITHIN);
    let article = behind.into_iter().find(|at| lexicon.holds("article", sentence.key(*at)))?;
    let noun = [article + 1, article + 2].into_iter().find_map(|at| lexicon.find("sent", words, at))?;
    Some(intent(noun.value))
}

fn intent(value: i64) -> Intent {
    match value {
        1 => Intent::Meeting,
        2 => Intent::Email,
        3 => Intent::Call,
        4 => Intent::Message,
        5 => Intent::Reminder,
        _ => Intent::Task,
    }
}

/// Whether the words speak of what is not so: "if", "maybe", "would"; a polite "if that's okay" and "check if" do not.
pub(super) fn is_hypothetical(sentence: &Sentence<'_>) -> bool {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    if !sentence.question && lexicon.find("inversion", words, 0).is_some() {
        return true;
    }
    (0..words.len()).any(|at| {
        // The month.
        if sentence.key(at) == "may" && words[at].capital && at > 0 {
            return false;
        }
        let Some(hit) = lexicon.find("hypothetical", words, at) else { return false };
        // "If you like" at the end of a clause; "if you like the price" is a condition.
        let polite = lexicon.find("polite_if", words, at).is_some_and(|polite| {
            let last = at + polite.words - 1;
            polite.words > hit.words && (last + 1 == words.len() || words[last].pause || polite.value > 0)
        });
        let embedded = (1..=3).any(|back| {
            at.checked_sub(back)
                .and_then(|from| lexicon.find("embedded_if", words, from))
                .is_some_and(|embedded| embedded.words == back + 1)
        });
        !polite && !embedded
    })
}
