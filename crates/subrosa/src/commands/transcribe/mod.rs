//! `subrosa transcribe`: recordings in, transcripts out. Whatever can be refused is refused before a model is loaded.

mod analysis;
mod args;
mod batch;
mod failure;
mod files;
mod inputs;
mod interrupt;
mod languages;
mod outputs;
mod progress;

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use server::config;
use speech::transcribe::Engine;

use crate::{
    exit, models,
    settings::{self, Place},
};

pub(crate) use args::Args;

use batch::{Batch, Done};
use failure::{Failure, overall};
use inputs::Input;
use interrupt::Interrupt;
use outputs::Outputs;
use progress::Reporter;

/// Transcribes what the command line names.
///
/// What an installation is told counts here only for the language model that is asked.
pub(crate) fn run(
    args: &Args,
    data_dir: &Path,
    settings: &settings::Args,
    place: impl FnOnce() -> Result<Place, ExitCode>,
) -> ExitCode {
    let asked = args.analysis_engine.is_some() || settings.is_said();
    let settings = match asked.then(place).transpose() {
        Ok(place) => place.map(|place| place.config.analysis),
        Err(code) => return code,
    };
    match transcribe(args, data_dir, settings.as_ref()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => exit::report(&failure, failure.code()),
    }
}

fn transcribe(args: &Args, data_dir: &Path, settings: Option<&config::Analysis>) -> Result<u8, Failure> {
    let options = args.options()?;
    let facts = args.facts();
    let inputs = Input::all(&args.inputs)?;
    let outputs = Outputs::plan(args, &inputs, settings)?;
    let reporter = Reporter::new(args.quiet);
    if args.analyze && facts.as_ref().is_some_and(|facts| facts.recorded_at.is_none()) {
        reporter.note("days such as \"Wednesday\" get no date: --recorded-at says when the recording was made");
    }
    let (ready, mut ended) = check(&inputs, &outputs, &reporter);
    let began = Instant::now();
    if !ready.is_empty() {
        let interrupt = Interrupt::install().map_err(Failure::Signals)?;
        let paths = models::resolve(data_dir, &args.model)?;
        if let Some(note) = models::note(&paths) {
            reporter.note(note);
        }
        let layout = &args.engine();
        let engine = Engine::load(&paths, layout)?;
        let batch = Batch {
            engine: &engine,
            layout,
            options: &options,
            facts: facts.as_ref(),
            outputs: &outputs,
            reporter: &reporter,
            interrupt: &interrupt,
        };
        ended.extend(batch.run(&ready));
        if interrupt.asked() {
            return Err(Failure::Interrupted);
        }
    }
    if ended.len() > 1 {
        reporter.note(summary(&ended, began.elapsed()));
    }
    Ok(overall(ended.iter().filter_map(code)))
}

/// Parts the inputs into those that can be transcribed, and the failures of the others, which are reported at once.
fn check(inputs: &[Input], outputs: &Outputs, reporter: &Reporter) -> (Vec<Input>, Vec<Result<Done, Failure>>) {
    let (mut ready, mut refused) = (Vec::new(), Vec::new());
    for input in inputs {
        match input.check().and_then(|()| outputs.check(input)) {
            Ok(()) => ready.push(input.clone()),
            Err(failure) => {
                reporter.error(format_args!("{}: {failure}", input.name()));
                refused.push(Err(failure));
            }
        }
    }
    (ready, refused)
}

/// The exit code of a recording that did not end as was asked.
fn code(end: &Result<Done, Failure>) -> Option<u8> {
    match end {
        Ok(done) => done.is_fallback.then_some(exit::ANALYST),
        Err(failure) => Some(failure.code()),
    }
}

/// The last line of a run over several recordings.
fn summary(ended: &[Result<Done, Failure>], took: Duration) -> String {
    let (done, failed) = ended.iter().partition::<Vec<_>, _>(|end| end.is_ok());
    let audio_seconds = done.iter().filter_map(|end| end.as_ref().ok()).map(|done| done.seconds).sum();
    let pace = progress::pace(audio_seconds, took);
    format!("{} transcribed, {} failed; {pace}", done.len(), failed.len())
}
