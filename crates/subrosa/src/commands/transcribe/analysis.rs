//! Who says what a call was about: rules, or the language model that the command line names. Its one invariant: there is an analysis
//! whatever the endpoint does, and nothing is sent anywhere that `--analysis-engine` does not name.

use std::{fs::File, io::Read as _, path::Path, time::Duration};

use insight::{
    analysis::{analyze, document::Analysis},
    facts::Facts,
    redact::{Policy, phone_endings},
};
use secrecy::SecretString;
use server::analysis_provider::{Asked, Llm};
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

impl Analyst {
    /// Whom the command line asks for; `None` where no analysis is wanted.
    ///
    /// # Errors
    /// [`Failure::Usage`], when there can be no such endpoint or no such key.
    pub(super) fn of(args: &Args) -> Result<Option<Self>, Failure> {
        let (Some(url), Some(model)) = (&args.analysis_engine, &args.analysis_model) else {
            return Ok(args.analyze.then_some(Self::Rules));
        };
        let key = match &args.analysis_key_file {
            Some(path) => Some(read(path)?),
            None => std::env::var(KEY).ok().filter(|key| !key.is_empty()).map(Zeroizing::new),
        };
        let key = key.map(|key| secret(&key)).transpose()?;
        let llm = Llm::named(url, model, key);
        Ok(Some(Self::Model(llm.map_err(|error| Failure::Usage(format!("--analysis-engine: {error}")))?)))
    }

    /// What a call was about, and a code that says why no model says it, where one was asked.
    ///
    /// # Errors
    /// [`Failure::Interrupted`]; [`Failure::Signals`] when the system lets nobody wait.
    pub(super) fn analyze(
        &self,
        transcript: &Transcript,
        facts: &Facts,
        interrupt: &Interrupt,
    ) -> Result<(Analysis, Option<&'static str>), Failure> {
        let facts = Facts { phone_endings: phone_endings(transcript, &Policy::default()), ..facts.clone() };
        let Self::Model(llm) = self else { return Ok((analyze(transcript, &facts), None)) };
        match asked(llm, (transcript, &facts), interrupt)?.answer {
            Ok(mut analysis) => {
                analysis.quality_warnings.clone_from(&transcript.pipeline.warnings);
                Ok((analysis, None))
            }
            // Nobody spoke, or to the machine alone: that is no failure of the model's.
            Err(NOTHING) => Ok((analyze(transcript, &facts), None)),
            Err(code) => {
                let mut analysis = analyze(transcript, &facts);
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
