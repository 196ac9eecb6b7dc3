//! Who was named. Its one invariant: a person is a capitalised name of the text behind a title, an introduction or a word for dealing with
//! somebody, or a name of the call's metadata that was said; nothing is spelled in another way.

use super::Call;
use super::document::Person;
use super::sentence::Sentence;

/// Words of the longest name.
const NAME_WORDS: usize = 3;

/// The people of a call, by first mention.
pub(super) fn people(call: &Call<'_>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for (at, sentence) in call.sentences.iter().enumerate() {
        let mut first = 0;
        while first < sentence.words.len() {
            let cued = |list: &str| cue(sentence, first, list);
            let title = cued("title");
            let words = if title || CUES.iter().any(|list| cued(list)) { name(call, sentence, first) } else { 0 };
            let length = if words > 0 { words } else { known(call, sentence, first) };
            if length > 0 {
                let first = if title { first - 1 } else { first };
                add(&mut people, call, at, sentence.quote(first, first + length + usize::from(title)));
            }
            first += length.max(1);
        }
    }
    people
}

/// Lists of what stands in front of a name.
const CUES: [&str; 3] = ["introduction", "name_cue", "relation"];

/// Words that look like names and are none.
const NO_NAMES: [&str; 9] =
    ["stop", "weekday", "month", "title", "introduction", "name_cue", "relation", "courtesy", "no_name"];

/// The words at `first` that may be a name.
fn name(call: &Call<'_>, sentence: &Sentence<'_>, first: usize) -> usize {
    let is_name = |at: &usize| {
        let listed = |list: &str| sentence.lexicon().find(list, &sentence.words, *at).is_some();
        sentence.words.get(*at).is_some_and(|word| {
            let whole = word.key.len() > 1 && !word.key.ends_with("'s");
            let plain = word.capital && word.placeholder.is_none() && whole;
            plain && !call.common.contains(&word.key) && !NO_NAMES.iter().any(|list| listed(list))
        })
    };
    (first..first + NAME_WORDS).take_while(is_name).count()
}

/// The name at the word `first` of the sentence `at`, with its title.
pub(super) fn named<'t>(call: &Call<'t>, at: usize, first: usize) -> Option<&'t str> {
    let sentence = &call.sentences[at];
    let title = sentence.lexicon().find("title", &sentence.words, first).map_or(0, |hit| hit.words);
    let length = name(call, sentence, first + title);
    (length > 0).then(|| sentence.quote(first, first + title + length))
}

/// Whether a phrase of `list` ends right before the word `at`.
fn cue(sentence: &Sentence<'_>, at: usize, list: &str) -> bool {
    (1..=3.min(at))
        .any(|back| sentence.lexicon().find(list, &sentence.words, at - back).is_some_and(|hit| hit.words == back))
}

/// Words at `at` that are a name of the metadata, whole or the first of it.
fn known(call: &Call<'_>, sentence: &Sentence<'_>, at: usize) -> usize {
    let names = [&call.facts.user_name, &call.facts.contact_name].into_iter().flatten();
    let parts = names.map(|name| name.split_whitespace().map(crate::redact::token::fold).collect::<Vec<_>>());
    let said = |parts: &[String]| {
        parts.iter().enumerate().take_while(|(index, part)| sentence.key(at + index) == **part).count()
    };
    let capital = sentence.words[at].capital;
    parts.map(|parts| said(&parts)).max().filter(|_| capital).unwrap_or(0)
}

fn add(people: &mut Vec<Person>, call: &Call<'_>, at: usize, name: &str) {
    let id = call.segment_id(at).to_owned();
    let speaker = call.transcript.speakers.iter().find(|speaker| {
        let shown = speaker.display_name.as_deref().unwrap_or_default();
        shown.split_whitespace().next().is_some_and(|first| name.split_whitespace().any(|part| part == first))
    });
    match people.iter_mut().find(|person| person.name.eq_ignore_ascii_case(name)) {
        Some(person) if person.source_segment_ids.contains(&id) => {}
        Some(person) => person.source_segment_ids.push(id),
        None => people.push(Person {
            name: name.to_owned(),
            speaker_id: speaker.map(|speaker| speaker.speaker_id.clone()),
            source_segment_ids: vec![id],
        }),
    }
}
