//! References as NIST writes them: RTTM (turns) and STM (turns with their words).

use std::collections::BTreeMap;

use crate::diarize::Turn;

/// A line that is not what its format says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not {format}: {reason}")]
pub struct FormatError {
    /// `RTTM` or `STM`.
    pub format: &'static str,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// A line of an STM file: who said what and when.
#[derive(Clone, PartialEq)]
pub struct StmLine {
    /// The speaker's name.
    pub speaker: String,
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
    /// The words.
    pub text: String,
}

/// Turns of an RTTM file, `SPEAKER file channel start duration <NA> <NA> name …` a line; speakers are numbered by first
/// appearance, lines of other types are passed over.
///
/// # Errors
/// [`FormatError`] names the first line that cannot be read.
pub fn parse_rttm(text: &str) -> Result<Vec<Turn>, FormatError> {
    let mut names = BTreeMap::new();
    let mut turns = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let error = |reason| FormatError { format: "RTTM", line: index + 1, reason };
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.first() != Some(&"SPEAKER") {
            continue;
        }
        let [_, _, _, start, duration, _, _, name, ..] = fields[..] else { return Err(error("fields are missing")) };
        let start = seconds(start).ok_or_else(|| error("the start is not a time"))?;
        let duration = seconds(duration).ok_or_else(|| error("the duration is not a time"))?;
        let next = names.len();
        let speaker = *names.entry(name).or_insert(next);
        turns.push(Turn { speaker, start, end: start + duration });
    }
    Ok(turns)
}

/// Lines of an STM file, `file channel speaker start end [<labels>] words…`; comments (`;;`) are passed over.
///
/// # Errors
/// [`FormatError`] names the first line that cannot be read.
pub fn parse_stm(text: &str) -> Result<Vec<StmLine>, FormatError> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let error = |reason| FormatError { format: "STM", line: index + 1, reason };
        if line.starts_with(";;") || line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, speaker, start, end, ref words @ ..] = fields[..] else { return Err(error("fields are missing")) };
        let labels = words.first().is_some_and(|w| w.starts_with('<') && w.ends_with('>'));
        lines.push(StmLine {
            speaker: speaker.to_owned(),
            start: seconds(start).ok_or_else(|| error("the start is not a time"))?,
            end: seconds(end).ok_or_else(|| error("the end is not a time"))?,
            text: words[usize::from(labels)..].join(" "),
        });
    }
    Ok(lines)
}

fn seconds(field: &str) -> Option<f64> {
    field.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rttm_turns_are_read_and_speakers_numbered_by_appearance() {
        let text = "SPEAKER f 1 6.690 0.430 <NA> <NA> b <NA> <NA>\nSPKR-INFO f 1 <NA>\nSPEAKER f 1 7.5 0.5 <NA> <NA> a <NA> <NA>\n";
        let turns = parse_rttm(text).unwrap();
        assert_eq!(turns.len(), 2);
        assert_eq!((turns[0].speaker, turns[1].speaker), (0, 1));
        assert_eq!((turns[1].start, turns[1].end), (7.5, 8.0));
    }

    #[test]
    fn a_broken_rttm_line_is_named() {
        let error = parse_rttm("\nSPEAKER f 1 x 0.5 <NA> <NA> a").unwrap_err();
        assert_eq!(error.to_string(), "line 2 is not RTTM: the start is not a time");
        assert!(parse_rttm("SPEAKER f 1").is_err());
    }

    #[test]
    fn stm_words_are_read_without_comments_and_labels() {
        let lines = parse_stm(";; note\nf 1 Ann 0.5 2 <o,f0> Oh, hello.\nf 1 Bo 2 3 Yes.\n").unwrap();
        assert_eq!(lines[0], StmLine { speaker: "Ann".into(), start: 0.5, end: 2.0, text: "Oh, hello.".into() });
        assert_eq!(lines[1].text, "Yes.");
    }
}
