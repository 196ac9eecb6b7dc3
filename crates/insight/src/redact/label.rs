//! The end of a telephone number, which is all of it that anybody gets to see. Its one invariant: a number that is too short to hide
//! anything behind its end gives none.

use std::collections::BTreeMap;

use speech::transcript::Transcript;

use super::{Policy, Unfinished, redact_text, token::digit};

/// Digits below which the last four are most of the number.
const SHORTEST: usize = 7;

/// The last four digits of a telephone number, however it is written; `None` for what is no full number (fewer than seven digits).
pub(crate) fn last_four(number: &str) -> Option<String> {
    let digits: Vec<char> = number.chars().filter_map(digit).collect();
    (digits.len() >= SHORTEST).then(|| digits[digits.len() - 4..].iter().collect())
}

/// What stands before the end of a number in such a name.
const LABEL: &str = "Contact ending ";

/// What a speaker without a name and with a number is called: `Contact ending 0199`.
pub fn contact_label(number: &str) -> Option<String> {
    last_four(number).map(|end| format!("{LABEL}{end}"))
}

/// Whether a name is what [`contact_label`] leaves of a number.
#[must_use]
pub fn is_contact_label(name: &str) -> bool {
    name.strip_prefix(LABEL).is_some_and(|end| end.len() == 4 && end.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A name of somebody, of which no full number is left: one in digits leaves its end, one in words goes as it does from what is said.
///
/// # Errors
/// As [`redact_text`].
pub fn redact_name(name: String, language: Option<&str>) -> Result<String, Unfinished> {
    match contact_label(&name) {
        Some(label) => Ok(label),
        None if name.is_empty() => Ok(name),
        None => redact_text(name, language, &Policy::default()),
    }
}

/// Labels and names of speakers without full numbers.
pub(super) fn redact_labels(transcript: &mut Transcript) -> Result<(), Unfinished> {
    let language = transcript.language.clone();
    // Few names, each of many segments.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let speakers = transcript.speakers.iter_mut();
    let names = speakers.flat_map(|speaker| [Some(&mut speaker.label), speaker.display_name.as_mut()]).flatten();
    for name in names.chain(transcript.segments.iter_mut().map(|segment| &mut segment.speaker)) {
        if let Some(redacted) = known.get(name) {
            name.clone_from(redacted);
        } else {
            let redacted = redact_name(name.clone(), language.as_deref())?;
            known.insert(std::mem::replace(name, redacted.clone()), redacted);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_called_by_the_end_of_the_number() {
        assert_eq!(contact_label("+1 (212) 555-0199").as_deref(), Some("Contact ending 0199"));
        assert_eq!(last_four("٠٢١٢٥٥٥٠١٩٩").as_deref(), Some("0199"));
        assert_eq!(last_four("4455"), None);
    }

    #[test]
    fn a_number_in_words_is_nobodys_name() {
        let named = |name: &str| redact_name(name.to_owned(), Some("en")).unwrap();
        let spelled = named("two one two, five five five, oh one nine nine");
        assert!(!spelled.contains("two one two") && !spelled.contains("nine"), "{spelled}");
        for name in ["Maria Seven", "Speaker 12", "", "Room 101"] {
            assert_eq!(named(name), name);
        }
    }
}
