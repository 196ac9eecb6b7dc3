//! How languages are written, as far as text is cut and joined here: where a sentence ends, and which languages put no
//! space between words. Invariant: every stage asks here, so that none cuts where another joins.

/// Languages written without spaces between words, as ISO 639-1 codes; Cantonese has a code of ISO 639-3 only.
const UNSPACED: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// What ends a sentence: Latin, ideographic and full-width marks, the Devanagari danda, the Urdu full stop, the Arabic
/// question mark, and the ellipsis of a sentence that trails off.
const SENTENCE_ENDS: [char; 10] = ['.', '?', '!', '…', '。', '？', '！', '।', '۔', '؟'];

/// What may close behind the end of a sentence: brackets, and the quotation marks of any language, some of which open
/// in another.
const CLOSING: [char; 18] =
    ['"', '\'', '”', '“', '’', '‘', '»', '«', '›', '‹', ')', ']', '}', '」', '』', '）', '】', '》'];

/// Whether `language` (an ISO 639-1 code) is written without spaces between words.
pub fn unspaced(language: &str) -> bool {
    UNSPACED.contains(&language)
}

/// Whether a sentence ends with `text`; quotation marks and brackets may close behind its full stop.
pub fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(CLOSING).ends_with(SENTENCE_ENDS)
}

/// Whether `c` is written with spaces between words in every language: a Latin letter, a digit, or ASCII punctuation.
pub(crate) fn is_spaced(c: char) -> bool {
    c.is_ascii_graphic() || ('\u{c0}'..='\u{24f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_in_every_script_and_before_closing_marks() {
        for end in [
            "Yes.",
            "Now?",
            "はい。",
            "什么？",
            "हाँ।",
            "ہاں۔",
            "كيف؟",
            "Well…",
            "\"Go!\"",
            "(Really?)",
            "„Ja.“",
            "»Ja!«",
        ] {
            assert!(ends_sentence(end), "{end}");
        }
        for middle in ["and", "so,", "\"quoted\"", "(aside)", "don’t", ""] {
            assert!(!ends_sentence(middle), "{middle}");
        }
    }
}
