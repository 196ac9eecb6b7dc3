//! Decisions, risks, opportunities and open questions: sentences that a cue marks. Its one invariant: they are quoted whole.

use super::Call;
use super::document::Statement;
use super::sentence::Sentence;

/// Words of the shortest question worth listing: "What about procurement?"
const QUESTION_WORDS: usize = 4;

/// What was agreed.
pub(super) fn decisions(call: &Call<'_>) -> Vec<Statement> {
    statements(call, |sentence| {
        let lexicon = sentence.lexicon();
        let open = sentence.question || lexicon.any("no_decision", &sentence.words);
        !open && lexicon.any("decision", &sentence.words)
    })
}

/// Sentences that a word of the list `cue` marks.
pub(super) fn cued(call: &Call<'_>, cue: &str) -> Vec<Statement> {
    statements(call, |sentence| !sentence.question && sentence.lexicon().any(cue, &sentence.words))
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
            Some(next) if call.sentences[next].lexicon().any("unanswered", &call.sentences[next].words) => {
                open.push(statement(call, vec![at, next]));
            }
            Some(_) => {}
        }
    }
    open
}
