//! Text and times as every format wants them: [`clean`] leaves no character that a terminal, XML or a line-based format
//! would act upon; times are whole, non-negative milliseconds.

/// `text` on one line: control characters, line separators and characters that XML 1.0 forbids become spaces, runs of
/// white space become one, and bidirectional embeddings and overrides, which could reorder what stands around them, go.
/// Joiners, which Persian and Indic scripts need, stay.
pub(crate) fn clean(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'))
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c })
        .collect();
    let mut words = visible.split_whitespace();
    let mut line = String::with_capacity(visible.len());
    line.extend(words.next());
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    line
}

/// Whether the first letter of `text` belongs to a script that is written from right to left (Hebrew to Arabic
/// Extended-A, the presentation forms, and the right-to-left plane of Unicode).
pub(super) fn is_right_to_left(text: &str) -> bool {
    let first = text.chars().find(|c| c.is_alphabetic());
    first.is_some_and(|c| {
        matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}' | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
    })
}

/// The latest time that is written, in milliseconds: some 31 years, so that sums never overflow.
const LATEST_MS: f64 = 1e12;

/// Whole milliseconds; what is not a positive number becomes 0 (the conversion takes NaN to 0 as well).
pub(super) fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round().clamp(0.0, LATEST_MS) as u64
}

/// `h:mm:ss<point>mmm` with hours of at least two digits, as SubRip (point `,`) and WebVTT (point `.`) have it.
pub(super) fn timestamp(millis: u64, point: char) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}{point}{rest:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `mm:ss.t`, or `h:mm:ss.t` where `hours` asks for it, for people to read.
pub(super) fn clock(seconds: f64, hours: bool) -> String {
    let tenths = (millis(seconds) + 50) / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    if hours {
        format!("{}:{:02}:{:02}.{tenth}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    } else {
        format!("{:02}:{:02}.{tenth}", seconds / 60, seconds % 60)
    }
}

/// Whether the clock of a recording of this length needs hours.
pub(super) fn needs_hours(duration_seconds: f64) -> bool {
    duration_seconds >= 3600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_spaces_and_spaces_do_not_pile_up() {
        assert_eq!(clean(" a\u{0}b\r\n\tc\u{1b}[31m \u{85}d\u{2028}e\u{ffff} "), "a b c [31m d e");
    }

    #[test]
    fn bidirectional_overrides_go_and_joiners_stay() {
        assert_eq!(clean("a\u{202e}b\u{2066}c"), "abc");
        assert_eq!(clean("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }

    #[test]
    fn the_first_letter_decides_the_direction() {
        assert!(is_right_to_left("— שלום world"));
        assert!(is_right_to_left("«مرحبا»"));
        assert!(!is_right_to_left("hello שלום"));
        assert!(!is_right_to_left("12 %"));
    }

    #[test]
    fn times_are_rounded_not_cut_and_never_negative() {
        assert_eq!(timestamp(millis(6.6996), ','), "00:00:06,700");
        assert_eq!(timestamp(millis(-1.0), '.'), "00:00:00.000");
        assert_eq!(timestamp(millis(f64::NAN), '.'), "00:00:00.000");
        assert_eq!(timestamp(millis(360_000.0), '.'), "100:00:00.000");
        assert_eq!(clock(59.96, false), "01:00.0");
        assert_eq!(clock(3_661.25, true), "1:01:01.3");
    }
}
