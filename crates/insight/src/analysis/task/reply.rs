//! What the other party says to a request. Its one invariant: silence is no consent, and a refusal outweighs everything.

use crate::analysis::Call;
use crate::analysis::sentence::Sentence;

/// Sentences of an answer that count: consent comes first.
const SENTENCES: usize = 2;

/// Sentences that the one who asks may go on with before the answer comes.
const GOES_ON: usize = 3;

/// Words at the beginning of a sentence among which consent stands.
const ACCEPTS_WITHIN: usize = 5;

/// The answer to something.
pub(super) struct Reply {
    /// Index of who answers.
    pub(super) speaker: usize,
    /// Indices of the sentences.
    pub(super) sentences: Vec<usize>,
    pub(super) accepts: bool,
    pub(super) refuses: bool,
}

/// What another speaker says next after the sentence `asked`.
pub(super) fn reply(call: &Call<'_>, asked: usize) -> Option<Reply> {
    let asker = call.sentences[asked].speaker;
    let mut rest = asked + 1..call.sentences.len();
    let first = rest.find(|at| call.sentences[*at].speaker != asker).filter(|first| first - asked <= GOES_ON)?;
    let speaker = call.sentences[first].speaker;
    let same = (first..call.sentences.len()).take_while(|at| call.sentences[*at].speaker == speaker);
    let sentences: Vec<usize> = same.take(SENTENCES).collect();
    let refuses = sentences.iter().any(|at| refuses(&call.sentences[*at]));
    let accepts = sentences.iter().any(|at| accepts(&call.sentences[*at]));
    Some(Reply { speaker, sentences, accepts, refuses })
}

fn accepts(sentence: &Sentence<'_>) -> bool {
    let beginning = ..ACCEPTS_WITHIN.min(sentence.words.len());
    !sentence.question && sentence.lexicon().any("accept", &sentence.words[beginning])
}

/// "no", but not "no problem".
fn refuses(sentence: &Sentence<'_>) -> bool {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    (0..words.len()).any(|at| {
        let accepted = lexicon.find("accept", words, at).map_or(0, |hit| hit.words);
        lexicon.find("refuse", words, at).is_some_and(|hit| hit.words > accepted)
    })
}
