//! The end of a telephone number, which is all of it that anybody gets to see. Its one invariant: a number that is too short to hide
//! anything behind its end gives none.

use speech::transcript::Transcript;

use super::token::digit;

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

/// Leaves labels and names of speakers that hold a full number with its end.
pub(super) fn shorten_labels(transcript: &mut Transcript) {
    let speakers = transcript.speakers.iter_mut();
    let names = speakers.flat_map(|speaker| [Some(&mut speaker.label), speaker.display_name.as_mut()]).flatten();
    for name in names.chain(transcript.segments.iter_mut().map(|segment| &mut segment.speaker)) {
        if let Some(label) = contact_label(name) {
            *name = label;
        }
    }
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
}
