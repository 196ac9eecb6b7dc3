//! Decisions, risks, opportunities and open questions: sentences that a cue marks. Its one invariant: they are quoted whole.

use super::Call;
use super::document::Statement;
use super::sentence::Sentence;

/// Words of the shortest question worth listing: "What about procurement?"
const QUESTION_WORDS: usize = 4;

/// Sentences of an answer in which somebody says that they do not know.
const ANSWER: usize = 2;

/// What was agreed.
pub(super) fn decisions(call: &Call<'_>) -> Vec<Statement> {
    statements(call, |sentence| {
        let lexicon = sentence.lexicon();
        let open = sentence.question || lexicon.any("no_decision", &sentence.words);
        !open && lexicon.affirmed("decision", &sentence.words).is_some()
    })
}

/// What may go wrong.
pub(super) fn risks(call: &Call<'_>) -> Vec<Statement> {
    statements(call, |sentence| cued(sentence, "risk", "no_risk"))
}

/// What may come of it.
pub(super) fn opportunities(call: &Call<'_>) -> Vec<Statement> {
    statements(call, |sentence| cued(sentence, "opportunity", "no_opportunity"))
}

/// Whether a phrase of `cue` marks the sentence, and none of `none` takes that back.
fn cued(sentence: &Sentence<'_>, cue: &str, none: &str) -> bool {
    let lexicon = sentence.lexicon();
    !sentence.question && lexicon.affirmed(cue, &sentence.words).is_some() && !lexicon.any(none, &sentence.words)
}

fn statements(call: &Call<'_>, wanted: impl Fn(&Sentence<'_>) -> bool) -> Vec<Statement> {
    let all = call.sentences.iter().enumerate().filter(|(_, sentence)| wanted(sentence));
    all.map(|(at, _)| statement(call, [at].into())).collect()
}

fn statement(call: &Call<'_>, sentences: Vec<usize>) -> Statement {
    let first = &call.sentences[sentences[0]];
    Statement {
        text: first.text.to_owned(),
        owner_speaker: call.speaker_id(first.speaker),
        due_date: None,
        source_segment_ids: call.cite(sentences),
    }
}

/// Questions that nobody answers: the other does not know, or the call ends.
pub(super) fn open_questions(call: &Call<'_>) -> Vec<Statement> {
    let mut open = Vec::new();
    for (at, sentence) in call.sentences.iter().enumerate() {
        let courtesy = sentence.lexicon().any("courtesy_question", &sentence.words);
        if !sentence.question || sentence.words.len() < QUESTION_WORDS || courtesy {
            continue;
        }
        let answer = (at + 1..call.sentences.len()).find(|next| call.sentences[*next].speaker != sentence.speaker);
        match answer {
            None => open.push(statement(call, vec![at])),
            Some(next) => open.extend(unanswered(call, next).map(|answer| statement(call, vec![at, answer]))),
        }
    }
    open
}

/// The sentence of an answer from `first` on that says that there is none.
fn unanswered(call: &Call<'_>, first: usize) -> Option<usize> {
    let turn =
        (first..call.sentences.len()).take_while(|at| call.sentences[*at].speaker == call.sentences[first].speaker);
    turn.take(ANSWER).find(|at| call.sentences[*at].lexicon().any("unanswered", &call.sentences[*at].words))
}
