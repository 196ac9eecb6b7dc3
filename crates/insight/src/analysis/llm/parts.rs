//! A call in parts that fit into a model's context. Its one invariant: every segment that may be shown is in a part, parts are cut between
//! segments, and none is larger than its room, by an estimate that is rather too high.

use std::collections::BTreeSet;

use speech::transcript::Transcript;

use super::{hostile::addresses_a_machine, prompt::line};
use crate::export::text::clean;

/// Of a part's room, what is repeated of the part before: a question at the end of one is answered at the beginning of the next.
const OVERLAP: usize = 12;

/// Parts of the longest call: five hours of speech are about 80,000 tokens, 12 parts of an 8k context.
const MOST_PARTS: usize = 48;

/// What is shown at once.
pub(super) struct Part {
    /// Segments that are shown, by index.
    pub(super) segments: BTreeSet<usize>,
    /// A line each; a segment that is longer than the room has several.
    pub(super) lines: Vec<String>,
}

/// About how many tokens a text is: three letters each in ASCII, where tokenizers of today have four, and one for every other character.
pub(super) fn tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    ascii.div_ceil(3) + text.chars().filter(|c| !c.is_ascii()).count()
}

/// The parts of `transcript`, each of at most `room` tokens; `None` where there are too many.
pub(super) fn parts(transcript: &Transcript, room: usize) -> Option<Vec<Part>> {
    let shown = (0..transcript.segments.len()).filter(|at| !addresses_a_machine(&transcript.segments[*at].text));
    let lines = shown.flat_map(|at| {
        let segment = &transcript.segments[at];
        pieces(&clean(&segment.text), room / 3).into_iter().map(move |text| (at, line(segment, &text)))
    });
    let mut parts: Vec<Vec<(usize, String)>> = Vec::new();
    let (mut part, mut used) = (Vec::new(), 0);
    for (at, text) in lines {
        let size = tokens(&text) + 1;
        if used + size > room && !part.is_empty() {
            let again = tail(&part, room / OVERLAP);
            used = again.iter().map(|(_, text)| tokens(text) + 1).sum();
            parts.push(std::mem::replace(&mut part, again));
            if parts.len() >= MOST_PARTS {
                return None;
            }
        }
        used += size;
        part.push((at, text));
    }
    parts.extend((!part.is_empty()).then_some(part));
    let part = |lines: Vec<(usize, String)>| Part {
        segments: lines.iter().map(|(at, _)| *at).collect(),
        lines: lines.into_iter().map(|(_, text)| text).collect(),
    };
    Some(parts.into_iter().map(part).collect())
}

/// The last lines of a part that fit into `room`.
fn tail(part: &[(usize, String)], room: usize) -> Vec<(usize, String)> {
    let mut used = 0;
    let fits = part.iter().rev().take_while(|(_, text)| {
        used += tokens(text) + 1;
        used <= room
    });
    let count = fits.count();
    part[part.len() - count..].to_vec()
}

/// `text` in pieces of at most `room` tokens, cut between words; a word that is longer is cut inside.
fn pieces(text: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        for chunk in chunks(word, room) {
            let size = tokens(chunk);
            if used + size > room && used > 0 {
                pieces.push(String::new());
                used = 0;
            }
            used += size;
            if let Some(piece) = pieces.last_mut() {
                piece.push_str(chunk);
            }
        }
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

fn chunks(word: &str, room: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = word;
    // A character is a token at most.
    while let Some((cut, _)) = rest.char_indices().nth(room.max(1)) {
        let (chunk, behind) = rest.split_at(cut);
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    chunks
}
