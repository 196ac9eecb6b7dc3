//! The options of `subrosa transcribe`, parsed into what the engine takes.

use std::{num::NonZeroUsize, path::PathBuf};

use chrono::{DateTime, FixedOffset};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use insight::{
    export::Format,
    facts::{Direction, Facts},
};
use speech::{
    diarize::{MAX_SPEAKERS, SpeakerCount},
    transcribe::{Channels, Device, EngineOptions, Options, Stages, Task},
};

use super::{failure::Failure, languages};

/// The most recogniser threads: more than any machine that this is likely to meet has cores.
const MAX_THREADS: u64 = 1024;

/// Characters of --hotwords and of --prompt together: the model hears 223 tokens before a window, of about four characters
/// each in English, so that more than this is never heard.
const MAX_CONTEXT_CHARS: usize = 2_000;

const EXAMPLES: &str = "\
Examples:
  subrosa transcribe call.wav
      Print who said what.
  subrosa transcribe call.m4a --speakers 2 --language german --output call.srt
      Two German speakers, as subtitles; the ending decides the format.
  subrosa transcribe calls/*.opus --format txt,json --word-times --output-dir transcripts
      Many calls at once, two files each.
  subrosa transcribe call.wav --analyze --user-name David --contact Maria --direction outgoing
      Who said what, by name, and what follows from it.
  subrosa transcribe call.wav --analyze --analysis-engine http://127.0.0.1:11434/v1 --analysis-model qwen3
      The same by a language model on this machine.
  ffmpeg -i film.mkv -f wav - | subrosa transcribe -
      From standard input.

Exit codes:
  0  everything was transcribed
  1  a recording could not be read or transcribed, or several failed for different causes
  2  the command line makes no sense
  3  a model is missing or damaged (subrosa models pull)
  4  the device cannot be used
  5  a transcript cannot be written
  32 the language model gave no analysis; the transcript is there, with what rules found
  130  interrupted";

/// Options of `subrosa transcribe`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Recordings in any common audio format; - reads standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(super) inputs: Vec<PathBuf>,

    /// Whisper model; `subrosa models list` shows which there are.
    #[arg(short, long, env = "SUBROSA_MODEL", default_value = "large-v3-turbo", value_name = "NAME")]
    pub(super) model: String,

    /// Language that is spoken: a code (en), an English name (german), or auto to detect it as it changes.
    #[arg(short, long, default_value = "auto", value_name = "LANG", value_parser = |name: &str| languages::parse(name).map(Language))]
    language: Language,

    /// Write what is said in its language, or in English where the model can.
    #[arg(long, default_value = "transcribe", value_parser = task())]
    task: Task,

    /// Short for --task translate.
    #[arg(long, conflicts_with = "task")]
    translate: bool,

    /// How many people speak: a number, or the fewest and the most, as in 2-4 [default: found out].
    #[arg(short, long, value_name = "N|MIN-MAX", value_parser = speakers)]
    speakers: Option<SpeakerCount>,

    /// Channels: one party each where they differ, all mixed into one, or one party each.
    #[arg(long, default_value = "auto", value_parser = channels())]
    channels: Channels,

    /// Names and terms to expect, as in "Subrosa, Dr. Quince, ACME-7".
    #[arg(long, value_name = "TEXT")]
    hotwords: Option<String>,

    /// Text to take as having come before; sets style and spelling.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,

    /// Beams of the search: 1 is fastest, 5 makes the fewest errors.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=10))]
    beams: u8,

    /// Suppress steady noise before recognition.
    #[arg(long)]
    denoise: bool,

    /// Take out what is below 80 Hz before recognition.
    #[arg(long)]
    high_pass: bool,

    /// Bring all speech to one loudness (-16 LUFS) before recognition.
    #[arg(long)]
    level: bool,

    /// Format of the transcript; several with commas [default: by the ending of --output, else txt].
    #[arg(short, long = "format", value_name = "FORMAT", value_delimiter = ',', value_parser = formats())]
    pub(super) formats: Vec<Format>,

    /// Show each word with its time (json, csv, vtt) and confidence (json, csv).
    #[arg(long)]
    pub(super) word_times: bool,

    /// Add what the call was about: summary, tasks with owner and day, talk times (in txt, md, json).
    #[arg(long)]
    pub(super) analyze: bool,

    /// Have a language model behind this OpenAI-compatible endpoint analyse, as in http://127.0.0.1:11434/v1. It is sent
    /// the transcript without telephone numbers, e-mail addresses, cards and IBANs; nothing of its answer stands that was not said.
    #[arg(long, value_name = "URL", requires_all = ["analyze", "analysis_model"], help_heading = "Language model")]
    pub(super) analysis_engine: Option<String>,

    /// What the endpoint calls the model.
    #[arg(long, value_name = "NAME", requires = "analysis_engine", help_heading = "Language model",
        value_parser = NonEmptyStringValueParser::new())]
    pub(super) analysis_model: Option<String>,

    /// File with the key that the endpoint asks for [default: what SUBROSA_ANALYSIS_KEY holds].
    #[arg(long, value_name = "FILE", requires = "analysis_engine", help_heading = "Language model")]
    pub(super) analysis_key_file: Option<PathBuf>,

    /// The other party's name, to tell whose voice is whose.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    contact: Option<String>,

    /// The other party's telephone number: who has no name is called by its last four digits, and no more of it is written anywhere.
    #[arg(long, value_name = "NUMBER", value_parser = NonEmptyStringValueParser::new())]
    phone_number: Option<String>,

    /// Your name, to tell whose voice is whose.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    user_name: Option<String>,

    /// Who called: incoming where the other party did.
    #[arg(long, value_name = "DIRECTION", value_parser = direction())]
    direction: Option<Direction>,

    /// When the recording was made, as in 2026-03-10T14:30:00+01:00; "tomorrow" counts from there.
    #[arg(long, value_name = "TIME", value_parser = |time: &str| DateTime::parse_from_rfc3339(time))]
    recorded_at: Option<DateTime<FixedOffset>>,

    /// Write the transcript to this file instead of standard output.
    #[arg(short, long, value_name = "FILE", conflicts_with = "output_dir")]
    pub(super) output: Option<PathBuf>,

    /// Write transcripts into this directory, named after the recordings; made when it is missing.
    #[arg(short = 'd', long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,

    /// Overwrite transcripts that are there already.
    #[arg(long)]
    pub(super) force: bool,

    /// Recogniser threads [default: one a core].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_THREADS))]
    threads: Option<u64>,

    /// What to compute on: all cores, or the first CUDA device.
    #[arg(long, default_value = "cpu", value_parser = device())]
    device: Device,

    /// No progress, notes or summary on standard error; errors still show.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// A parsed `--language`; `None` detects.
#[derive(Clone)]
struct Language(Option<String>);

impl Args {
    /// What the engine is to do with each recording.
    ///
    /// # Errors
    /// [`Failure::Usage`] when there is more context than the model hears.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let context =
            [&self.hotwords, &self.prompt].into_iter().flatten().map(|text| text.chars().count()).sum::<usize>();
        if context > MAX_CONTEXT_CHARS {
            return Err(Failure::Usage(format!(
                "--hotwords and --prompt have {context} characters together, and the model hears at most \
                 {MAX_CONTEXT_CHARS}; keep what matters most"
            )));
        }
        Ok(Options {
            language: self.language.0.clone(),
            task: if self.translate { Task::Translate } else { self.task },
            channels: self.channels,
            speakers: self.speakers.unwrap_or_default(),
            hotwords: self.hotwords.clone(),
            initial_prompt: self.prompt.clone(),
            beams: self.beams.into(),
            stages: Stages { denoise: self.denoise, high_pass: self.high_pass, level: self.level },
            voiceprint: None,
        })
    }

    /// What is known of the call; `None` where nothing was said of it and nothing asked.
    pub(super) fn facts(&self) -> Option<Facts> {
        let known = self.contact.is_some() || self.user_name.is_some() || self.phone_number.is_some();
        let known = known || self.direction.is_some();
        (known || self.analyze).then(|| Facts {
            direction: self.direction.unwrap_or_default(),
            user_name: self.user_name.clone(),
            contact_name: self.contact.clone(),
            phone_number: self.phone_number.clone(),
            recorded_at: self.recorded_at,
            ..Facts::default()
        })
    }

    /// How the engine is to be laid out.
    pub(super) fn engine(&self) -> EngineOptions {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        // At most MAX_THREADS, which fits any usize.
        let threads = self.threads.map_or_else(cores, |threads| threads as usize);
        EngineOptions { threads, device: self.device }
    }
}

fn speakers(text: &str) -> Result<SpeakerCount, String> {
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    let count = |text: &str| text.trim().parse().ok();
    count(min)
        .zip(count(max))
        .and_then(|(min, max)| SpeakerCount::between(min, max))
        .ok_or_else(|| format!("give a number from 1 to {MAX_SPEAKERS}, or the fewest and the most, as in 2-4"))
}

fn task() -> impl TypedValueParser<Value = Task> {
    PossibleValuesParser::new(["transcribe", "translate"]).map(|name| match name.as_str() {
        "translate" => Task::Translate,
        _ => Task::Transcribe,
    })
}

fn channels() -> impl TypedValueParser<Value = Channels> {
    PossibleValuesParser::new(["auto", "mix", "split"]).map(|name| match name.as_str() {
        "mix" => Channels::Mix,
        "split" => Channels::Split,
        _ => Channels::Auto,
    })
}

fn direction() -> impl TypedValueParser<Value = Direction> {
    PossibleValuesParser::new(["incoming", "outgoing"]).map(|name| match name.as_str() {
        "incoming" => Direction::Incoming,
        _ => Direction::Outgoing,
    })
}

fn device() -> impl TypedValueParser<Value = Device> {
    PossibleValuesParser::new(["cpu", "cuda"]).map(|name| match name.as_str() {
        "cuda" => Device::Cuda,
        _ => Device::Cpu,
    })
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::extension)).try_map(|name| name.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_are_a_number_or_a_range() {
        assert_eq!(speakers("2"), Ok(SpeakerCount::exactly(2).unwrap()));
        assert_eq!(speakers("2-4"), Ok(SpeakerCount::between(2, 4).unwrap()));
        for wrong in ["", "0", "4-2", "-3", "two", "1-999"] {
            assert!(speakers(wrong).is_err(), "{wrong:?}");
        }
    }
}
