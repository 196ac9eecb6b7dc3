//! Who was named. Its one invariant: a person is a capitalised name of the text behind a title, an introduction or a word for dealing with
//! somebody, or a name of the call's metadata that was said; nothing is spelled in another way.

use std::collections::BTreeMap;

use super::Call;
use super::document::Person;
use super::sentence::Sentence;

/// Words of the longest name.
const NAME_WORDS: usize = 3;

/// The people of a call, by first mention.
pub(super) fn people(call: &Call<'_>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    // A word that is also said in lower case is no name.
    let mut common: BTreeMap<&str, bool> = BTreeMap::new();
    for word in call.sentences.iter().flat_map(|sentence| &sentence.words) {
        *common.entry(&word.key).or_default() |= !word.capital;
    }
    let is_name = |sentence: &Sentence<'_>, at: usize| {
        sentence.words.get(at).is_some_and(|word| {
            let lists = ["stop", "weekday", "month", "title", "introduction", "name_cue", "courtesy"];
            let listed = lists.iter().any(|list| sentence.lexicon().find(list, &sentence.words, at).is_some());
            word.capital && word.placeholder.is_none() && !listed && !common[word.key.as_str()] && word.key.len() > 1
        })
    };
    for (at, sentence) in call.sentences.iter().enumerate() {
        let mut first = 0;
        while first < sentence.words.len() {
            let known = known(call, sentence, first);
            let cued = |list: &str| cue(sentence, first, list);
            let title = cued("title");
            let begins = title || cued("introduction") || cued("name_cue");
            let words = (first..first + NAME_WORDS).take_while(|index| is_name(sentence, *index)).count();
            let length = if begins && words > 0 { words } else { known };
            if length > 0 {
                let first = if title { first - 1 } else { first };
                add(&mut people, call, at, sentence.quote(first, first + length + usize::from(title)));
            }
            first += length.max(1);
        }
    }
    people
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
