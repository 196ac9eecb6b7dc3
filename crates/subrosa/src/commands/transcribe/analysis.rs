//! What a call was about, and who says so: rules, or the language model that the command line names. Its one invariant: there is an analysis
//! whatever the endpoint does, it holds no telephone number, and nothing is sent anywhere that `--analysis-engine` does not name.

use std::{fs::File, io::Read as _, path::Path, time::Duration};

use insight::{
    analysis::{analyze, document::Analysis},
    facts::Facts,
    redact::{Policy, Redacted, phone_endings, redact},
    talk::{self, TalkAnalytics},
};
use secrecy::SecretString;
use server::{
    analysis_provider::{Asked, Llm},
    config,
};
use speech::transcript::{QualityWarning, Transcript};
use tokio::{runtime, time::sleep};
use zeroize::Zeroizing;

use super::{args::Args, failure::Failure, interrupt::Interrupt};
use crate::exit::advice;

/// Where the key of an endpoint may stand: as for `subrosa serve`.
const KEY: &str = "SUBROSA_ANALYSIS_KEY";

/// Bytes of a key: some times what any provider gives out.
const MAX_KEY: u64 = 4096;

/// The code of a call in which there is nothing to ask about.
const NOTHING: &str = "nothing_to_analyze";

/// How often it is asked whether the user wants to stop, while a model thinks.
const LOOK: Duration = Duration::from_millis(100);

/// Who analyses the calls of a run.
pub(super) enum Analyst {
    /// Rules and word lists.
    Rules,
    /// A language model.
    Model(Llm),
}

/// What was found in a call.
pub(super) struct Found {
    pub(super) analysis: Analysis,
    pub(super) talk: TalkAnalytics,
    /// A code that says why no model says it, where one was asked.
    pub(super) unanswered: Option<&'static str>,
}

impl Analyst {
    /// Whom the command line asks for; `None` where no analysis is wanted.
    ///
    /// # Errors
    /// [`Failure::Usage`], when there can be no such endpoint or no such key.
    pub(super) fn of(args: &Args, settings: Option<&config::Analysis>) -> Result<Option<Self>, Failure> {
        let (Some(url), Some(model), Some(settings)) = (&args.analysis_engine, &args.analysis_model, settings) else {
            return Ok(args.analyze.then_some(Self::Rules));
        };
        let key = match &args.analysis_key_file {
            Some(path) => Some(read(path)?),
            None => std::env::var(KEY).ok().filter(|key| !key.is_empty()).map(Zeroizing::new),
        };
        let key = key.map(|key| secret(&key)).transpose()?;
        let llm = Llm::named(url, model, key, settings.clone());
        Ok(Some(Self::Model(llm.map_err(|error| Failure::Usage(format!("--analysis-engine: {error}")))?)))
    }

    /// What is found in a call, as a server finds it for a tenant that has chosen nothing: in a copy of the transcript without telephone
    /// numbers.
    ///
    /// # Errors
    /// [`Failure::Unredacted`]; [`Failure::Interrupted`]; [`Failure::Signals`] when the system lets nobody wait.
    pub(super) fn analyze(
        &self,
        transcript: &Transcript,
        facts: &Facts,
        interrupt: &Interrupt,
    ) -> Result<Found, Failure> {
        let policy = Policy::default();
        let facts = Facts { phone_endings: phone_endings(transcript, &policy), ..facts.clone() };
        let Redacted { transcript, .. } = redact(transcript.clone(), &policy)?;
        let (analysis, unanswered) = self.found(&transcript, &facts, interrupt)?;
        Ok(Found { analysis, talk: talk::measure(&transcript), unanswered })
    }

    fn found(
        &self,
        transcript: &Transcript,
        facts: &Facts,
        interrupt: &Interrupt,
    ) -> Result<(Analysis, Option<&'static str>), Failure> {
        let Self::Model(llm) = self else { return Ok((analyze(transcript, facts), None)) };
        match asked(llm, (transcript, facts), interrupt)?.answer {
            Ok(mut analysis) => {
                analysis.quality_warnings.clone_from(&transcript.pipeline.warnings);
                Ok((analysis, None))
            }
            // Nobody spoke, or to the machine alone: that is no failure of the model's.
            Err(NOTHING) => Ok((analyze(transcript, facts), None)),
            Err(code) => {
                let mut analysis = analyze(transcript, facts);
                analysis.quality_warnings.push(QualityWarning::AnalysisFallback);
                Ok((analysis, Some(code)))
            }
        }
    }
}

fn asked(llm: &Llm, (transcript, facts): (&Transcript, &Facts), interrupt: &Interrupt) -> Result<Asked, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Signals)?;
    runtime.block_on(async {
        let stopped = async {
            while !interrupt.asked() {
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            asked = llm.ask(transcript, facts) => Ok(asked),
            () = stopped => Err(Failure::Interrupted),
        }
    })
}

/// The key in a file, without the end of its line.
fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut key = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MAX_KEY + 1).read_to_string(&mut key));
    read.map_err(|error| {
        Failure::Usage(format!("cannot read the key in {}: {error}{}", path.display(), advice(&error)))
    })?;
    Ok(Zeroizing::new(key.trim_end().to_owned()))
}

/// A key that can stand in a header; what is wrong with it is said without it.
fn secret(key: &str) -> Result<SecretString, Failure> {
    let is_key = !key.is_empty() && key.len() as u64 <= MAX_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong = || Failure::Usage("the key of --analysis-engine is one line of printable ASCII without spaces".into());
    is_key.then(|| SecretString::from(key)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_holds_no_number_that_was_said_and_the_transcript_stays() {
        let text = "I will call you back tomorrow at 212-555-0199, as we decided.";
        let transcript: Transcript = serde_json::from_value(serde_json::json!({
            "schemaVersion": 2, "language": "en", "durationSeconds": 9.0, "cleanText": format!("A: {text}"), "speakerResolution": {},
            "pipeline": speech::transcript::Pipeline::default(),
            "speakers": [{"speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_0", "label": "A", "displayName": null, "role": "UNKNOWN",
                "confidence": null, "labelSource": "DIARIZATION", "voiceMatchScore": null}],
            "segments": [{"id": "seg_0001", "speaker": "A", "speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_0", "role": "UNKNOWN",
                "startSeconds": 0.0, "endSeconds": 9.0, "text": text, "language": "en", "alignmentConfidence": 1.0, "words": []}],
        }))
        .unwrap();
        let found = Analyst::Rules.analyze(&transcript, &Facts::default(), &Interrupt::default()).ok().unwrap();
        let told = serde_json::to_string(&found.analysis).unwrap();
        assert!(told.contains("[phone number]") && !told.contains("555"), "{told}");
        // Where to call is told by its end.
        assert!(told.contains("\"0199\""), "{told}");
        assert!(transcript.segments[0].text == text);
    }
}
