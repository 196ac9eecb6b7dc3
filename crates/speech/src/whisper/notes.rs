//! What the model writes about sounds rather than words: `[MUSIC]`, `(laughs)`, `*sighs*`, `♪`.
//!
//! Invariant: what may be speech stays: a group with digits (an area code), words in parentheses that name no sound, a
//! bracket that never closes.

use crate::transcript::Word;

/// The most words of a note: "(speaking in a foreign language)" has five.
const MAX_NOTE_WORDS: usize = 6;

/// Names of sounds in the subtitles that the model was trained on; in parentheses one of these makes a note, because
/// people's words stand there too ("(WHO)").
const SOUNDS: [&str; 67] = [
    "applause",
    "applauding",
    "barking",
    "beep",
    "beeping",
    "beeps",
    "breathing",
    "buzzing",
    "chatter",
    "cheering",
    "chuckles",
    "chuckling",
    "clapping",
    "clears",
    "clicking",
    "cough",
    "coughing",
    "coughs",
    "crosstalk",
    "crying",
    "foreign",
    "gasp",
    "gasps",
    "giggles",
    "groans",
    "humming",
    "inaudible",
    "indistinct",
    "knocking",
    "laugh",
    "laughing",
    "laughs",
    "laughter",
    "music",
    "noise",
    "ringing",
    "rings",
    "sigh",
    "sighing",
    "sighs",
    "silence",
    "singing",
    "sniffs",
    "sobbing",
    "static",
    "unintelligible",
    "whispering",
    "whistling",
    "applaus",
    "gelächter",
    "geräusche",
    "husten",
    "lachen",
    "lacht",
    "musik",
    "rauschen",
    "applaudissements",
    "bruit",
    "musique",
    "rires",
    "soupir",
    "aplausos",
    "música",
    "risas",
    "ruido",
    "risos",
    "ruído",
];

/// The words without notes about sounds.
pub(super) fn without_notes(words: Vec<Word>) -> Vec<Word> {
    let mut noted = 0;
    let keep: Vec<bool> = (0..words.len())
        .map(|i| {
            noted = noted.max(i + note_length(&words[i..]));
            i >= noted && !is_mark(&words[i].text)
        })
        .collect();
    words.into_iter().zip(keep).filter_map(|(word, keep)| keep.then_some(word)).collect()
}

/// How many words the note has that starts with the first one; 0 where none does.
fn note_length(words: &[Word]) -> usize {
    let first = &words[0].text;
    let close = match first.chars().next() {
        Some('[') => ']',
        Some('(') => ')',
        Some('*') if first.len() > 1 => '*',
        _ => return 0,
    };
    let near = &words[..words.len().min(MAX_NOTE_WORDS)];
    let Some(end) = near.iter().position(|w| w.text.trim_end_matches(['.', ',', '!', '?']).ends_with(close)) else {
        return 0;
    };
    let note = &near[..=end];
    let digits = note.iter().any(|w| w.text.chars().any(char::is_numeric));
    if digits || (close == ')' && !note.iter().any(|w| names_sound(&w.text))) { 0 } else { note.len() }
}

fn names_sound(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    SOUNDS.contains(&word.as_str())
}

/// Whether a word is a mark of music, or punctuation without a word.
fn is_mark(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '♪' | '♫' | '*' | '-' | '.' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        let word = |w: &str| Word { text: w.to_owned(), start_seconds: 0.0, end_seconds: 0.1, confidence: 1.0 };
        let kept = without_notes(text.split(' ').map(word).collect());
        kept.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn notes_about_sounds_are_no_words() {
        assert_eq!(cleaned("Hello [MUSIC PLAYING] there (laughs). ♪ friend"), "Hello there friend");
        assert_eq!(cleaned("(upbeat music) So *sighs* (speaking in foreign language) yes"), "So yes");
        assert_eq!(cleaned("[ Pause ] Guten Tag (Gelächter)"), "Guten Tag");
    }

    #[test]
    fn what_may_be_speech_stays() {
        for text in [
            "call (555) 123-4567 now",
            "the World Health Organization (WHO) and sons",
            "section 2 (a) of it",
            "see [Figure 3] there",
            "see (figure one",
            "[never closed",
        ] {
            assert_eq!(cleaned(text), text);
        }
    }
}
