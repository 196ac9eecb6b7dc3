//! Where transcripts go: standard output, one file, or a directory. Its one invariant: whatever can be refused is refused
//! before the first recording is read.

use std::{
    collections::{HashMap, HashSet},
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use insight::{
    export::{self, Format, Style},
    facts::Facts,
};
use server::config;
use speech::transcribe::Transcription;

use super::{
    analysis::{Analyst, Found},
    args::Args,
    failure::Failure,
    files::{self, Place, nearest, parent, probe},
    inputs::Input,
    interrupt::Interrupt,
    progress::Reporter,
};

/// Where the transcripts of a run go and what they look like.
pub(super) struct Outputs {
    destination: Destination,
    words: bool,
    overwrite: bool,
    analyst: Option<Analyst>,
}

enum Destination {
    /// One transcript after the other; `headers` puts the recording's name before each.
    StandardOutput { format: Format, headers: bool },
    /// The one transcript of the run.
    File { path: PathBuf, format: Format },
    /// A file a recording and format.
    Directory { path: PathBuf, formats: Vec<Format> },
}

impl Outputs {
    /// Works out the destination and makes sure that it can be written to at all.
    ///
    /// # Errors
    /// [`Failure::Usage`] where options or names clash, [`Failure::Output`] where no file can be made.
    pub(super) fn plan(args: &Args, inputs: &[Input], settings: Option<&config::Analysis>) -> Result<Self, Failure> {
        let formats = formats(args)?;
        if args.word_times && !formats.iter().any(|format| matches!(format, Format::Json | Format::Csv | Format::Vtt)) {
            return Err(usage("--word-times shows in json, csv and vtt only; add --format json"));
        }
        if args.analyze && !formats.iter().any(|format| export::shows_analysis(*format)) {
            return Err(usage("--analyze shows in txt, md and json only; add --format txt"));
        }
        let destination = match (&args.output_dir, args.output.as_deref().filter(|path| *path != Path::new("-"))) {
            (Some(directory), _) => Destination::Directory { path: directory.clone(), formats },
            (None, Some(_)) if inputs.len() > 1 => {
                return Err(usage("--output holds one transcript; use --output-dir for several recordings"));
            }
            (None, output) => {
                let [format] = formats[..] else {
                    return Err(usage("several formats need --output-dir"));
                };
                match output {
                    Some(path) => Destination::File { path: path.to_owned(), format },
                    None => standard_output(format, inputs.len())?,
                }
            }
        };
        let analyst = Analyst::of(args, settings)?;
        let outputs = Self { destination, words: args.word_times, overwrite: args.force, analyst };
        outputs.check_destination()?;
        outputs.check_names(inputs)?;
        Ok(outputs)
    }

    /// Whether transcripts have to come in the order of the command line.
    pub(super) fn ordered(&self) -> bool {
        matches!(self.destination, Destination::StandardOutput { .. })
    }

    /// Writes the transcript of `input`, with its analysis where one is wanted; gives the code that says why that is not of the model that was
    /// asked, where it is not.
    ///
    /// # Errors
    /// [`Failure::Output`]; [`Failure::Closed`] where nobody reads standard output any more; those of [`Analyst::analyze`].
    pub(super) fn deliver(
        &self,
        input: &Input,
        transcription: &Transcription,
        facts: Option<&Facts>,
        reporter: &Reporter,
        interrupt: &Interrupt,
    ) -> Result<Option<&'static str>, Failure> {
        let analyzed = facts.zip(self.analyst.as_ref());
        let found =
            analyzed.map(|(facts, analyst)| analyst.analyze(&transcription.transcript, facts, interrupt)).transpose();
        if let Err(Failure::Unredacted(_)) = &found {
            // It took hours, perhaps, and is whole without an analysis.
            self.write((input, transcription, None), reporter, interrupt)?;
        }
        let found = found?;
        self.write((input, transcription, found.as_ref()), reporter, interrupt)?;
        Ok(found.and_then(|found| found.unanswered))
    }

    fn write(
        &self,
        (input, transcription, found): (&Input, &Transcription, Option<&Found>),
        reporter: &Reporter,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        if let Destination::StandardOutput { format, headers } = self.destination {
            let mut bytes = if headers { format!("==> {} <==\n", input.name()).into_bytes() } else { Vec::new() };
            bytes.extend(self.render(input, transcription, found, format)?);
            if headers {
                bytes.push(b'\n');
            }
            return reporter.print(&bytes).map_err(|source| match source.kind() {
                io::ErrorKind::BrokenPipe => Failure::Closed,
                _ => Failure::Output { path: "standard output".into(), source },
            });
        }
        let render = |(format, path)| Ok((path, self.render(input, transcription, found, format)?));
        let files = self.files(input).into_iter().map(render).collect::<Result<Vec<_>, Failure>>()?;
        files::write(&files, self.overwrite, interrupt)
    }

    fn render(
        &self,
        input: &Input,
        transcription: &Transcription,
        found: Option<&Found>,
        format: Format,
    ) -> Result<Vec<u8>, Failure> {
        let (title, mut bytes) = (input.title(), Vec::new());
        let (analysis, talk) = found.map(|found| (&found.analysis, &found.talk)).unzip();
        let style = Style { title: &title, words: self.words, turns: &transcription.turns, analysis, talk };
        export::write(&transcription.transcript, format, style, &mut bytes)
            .map_err(|source| Failure::Output { path: format!("the {format} document").into(), source })?;
        Ok(bytes)
    }

    /// The files that the transcript of `input` goes to.
    fn files(&self, input: &Input) -> Vec<(Format, PathBuf)> {
        match &self.destination {
            Destination::StandardOutput { .. } => Vec::new(),
            Destination::File { path, format } => vec![(*format, path.clone())],
            Destination::Directory { path, formats } => formats
                .iter()
                .map(|format| {
                    let mut name = input.stem().into_os_string();
                    name.push(format!(".{format}"));
                    (*format, path.join(name))
                })
                .collect(),
        }
    }

    /// Whether the transcript of `input` has a place to go.
    ///
    /// # Errors
    /// [`Failure::Exists`]; [`Failure::Output`] where something else is in the way.
    pub(super) fn check(&self, input: &Input) -> Result<(), Failure> {
        self.files(input).into_iter().try_for_each(|(_, path)| match Place::of(&path)? {
            Place::Taken if !self.overwrite => Err(Failure::Exists(path)),
            Place::Taken | Place::Free | Place::Stream => Ok(()),
        })
    }

    fn check_destination(&self) -> Result<(), Failure> {
        match &self.destination {
            Destination::StandardOutput { .. } => Ok(()),
            Destination::File { path, .. } if path.is_dir() => {
                Err(usage(&format!("{} is a directory; use --output-dir", path.display())))
            }
            Destination::File { path, .. } => match Place::of(path)? {
                // `/dev` and `/dev/fd` take no files, `/dev/null` and `/dev/fd/63` take bytes.
                Place::Stream => Ok(()),
                Place::Taken => probe(parent(&path.canonicalize().unwrap_or_else(|_| path.clone()))),
                Place::Free => probe(parent(path)),
            },
            Destination::Directory { path, .. } => probe(nearest(path)),
        }
    }

    /// No transcript replaces a recording of the run or another transcript of it.
    fn check_names(&self, inputs: &[Input]) -> Result<(), Failure> {
        let real = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
        let recordings: HashSet<_> = inputs.iter().filter_map(Input::path).filter_map(real).collect();
        let mut writers = HashMap::new();
        for input in inputs {
            for (_, path) in self.files(input) {
                if real(&path).is_some_and(|path| recordings.contains(&path)) {
                    return Err(usage(&format!("{} is a recording of this run; name another output", path.display())));
                }
                if let Some(other) = writers.insert(path.clone(), input) {
                    let (path, one, two) = (path.display(), other.name(), input.name());
                    return Err(usage(&format!("{one} and {two} would both be written to {path}; run them apart")));
                }
            }
        }
        Ok(())
    }
}

fn usage(message: &str) -> Failure {
    Failure::Usage(message.to_owned())
}

/// The formats asked for, each once; else what the ending of `--output` says; else plain text.
fn formats(args: &Args) -> Result<Vec<Format>, Failure> {
    let mut formats = args.formats.clone();
    formats.sort_unstable();
    formats.dedup();
    if formats.is_empty() {
        let ending = args.output.as_deref().and_then(Path::extension).map(|ending| ending.to_string_lossy());
        formats.push(match ending {
            None => Format::Txt,
            Some(ending) => ending.parse().map_err(|known| {
                usage(&format!("the ending .{ending} names no format ({known}); choose one with --format"))
            })?,
        });
    }
    Ok(formats)
}

fn standard_output(format: Format, recordings: usize) -> Result<Destination, Failure> {
    if recordings > 1 && format != Format::Txt {
        return Err(usage(&format!("several recordings as {format} need --output-dir")));
    }
    if format == Format::Docx && io::stdout().is_terminal() {
        return Err(usage("docx is no text to show in a terminal; name a file with --output"));
    }
    Ok(Destination::StandardOutput { format, headers: recordings > 1 })
}
