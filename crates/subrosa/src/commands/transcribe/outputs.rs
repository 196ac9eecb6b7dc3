//! Where transcripts go: standard output, one file, or a directory. Whatever can be refused is refused before the first
//! recording is read, and a file is either there as a whole or not at all.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use insight::export::{self, Format, Style};
use speech::transcribe::Transcription;

use super::{args::Args, failure::Failure, inputs::Input, interrupt::Interrupt, progress::Reporter};

/// Where the transcripts of a run go and what they look like.
pub(super) struct Outputs {
    destination: Destination,
    words: bool,
    overwrite: bool,
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
    /// Works out the destination and makes sure that nothing known now stands in the way.
    ///
    /// # Errors
    /// [`Failure::Usage`] where options or names clash, [`Failure::Output`] where a file exists or cannot be made.
    pub(super) fn plan(args: &Args, inputs: &[Input]) -> Result<Self, Failure> {
        let formats = formats(args)?;
        if args.word_times && !formats.iter().any(|format| matches!(format, Format::Json | Format::Csv | Format::Vtt)) {
            return Err(usage("--word-times shows in json, csv and vtt only; add --format json"));
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
        let outputs = Self { destination, words: args.word_times, overwrite: args.force };
        outputs.check(inputs)?;
        Ok(outputs)
    }

    /// Whether transcripts have to come in the order of the command line.
    pub(super) fn ordered(&self) -> bool {
        matches!(self.destination, Destination::StandardOutput { .. })
    }

    /// Writes the transcript of `input`.
    ///
    /// # Errors
    /// [`Failure::Output`]; [`Failure::Closed`] where nobody reads standard output any more.
    pub(super) fn deliver(
        &self,
        input: &Input,
        transcription: &Transcription,
        reporter: &Reporter,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        if let Destination::StandardOutput { format, headers } = self.destination {
            let mut bytes = if headers { format!("==> {} <==\n", input.name()).into_bytes() } else { Vec::new() };
            bytes.extend(self.render(input, transcription, format)?);
            if headers {
                bytes.push(b'\n');
            }
            return reporter.print(&bytes).map_err(|source| match source.kind() {
                io::ErrorKind::BrokenPipe => Failure::Closed,
                _ => Failure::Output { path: "standard output".into(), source },
            });
        }
        for (format, path) in self.files(input) {
            let bytes = self.render(input, transcription, format)?;
            write_whole(&path, &bytes, self.overwrite, interrupt).map_err(|source| Failure::Output { path, source })?;
        }
        Ok(())
    }

    fn render(&self, input: &Input, transcription: &Transcription, format: Format) -> Result<Vec<u8>, Failure> {
        let (title, mut bytes) = (input.title(), Vec::new());
        let style = Style { title: &title, words: self.words, turns: &transcription.turns };
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

    fn check(&self, inputs: &[Input]) -> Result<(), Failure> {
        match &self.destination {
            Destination::StandardOutput { .. } => return Ok(()),
            Destination::File { path, .. } if path.is_dir() => {
                return Err(usage(&format!("{} is a directory; use --output-dir", path.display())));
            }
            Destination::File { path, .. } => probe(parent(path))?,
            Destination::Directory { path, .. } if path.exists() => probe(path)?,
            Destination::Directory { .. } => {}
        }
        let mut writers = HashMap::new();
        for input in inputs {
            for (_, path) in self.files(input) {
                self.check_file(&path, inputs)?;
                if let Some(other) = writers.insert(path.clone(), input) {
                    let (path, one, two) = (path.display(), other.name(), input.name());
                    return Err(usage(&format!("{one} and {two} would both be written to {path}; run them apart")));
                }
            }
        }
        Ok(())
    }

    fn check_file(&self, path: &Path, inputs: &[Input]) -> Result<(), Failure> {
        let Ok(target) = path.canonicalize() else { return Ok(()) };
        let is_target =
            |input: &Input| matches!(input, Input::File(file) if file.canonicalize().ok().as_ref() == Some(&target));
        if target.is_file() && inputs.iter().any(is_target) {
            return Err(usage(&format!("{} is a recording of this run; name another output", path.display())));
        }
        if target.is_file() && !self.overwrite {
            let source = io::Error::new(io::ErrorKind::AlreadyExists, "it exists already; --force overwrites it");
            return Err(Failure::Output { path: path.to_owned(), source });
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

/// Makes sure that files can be made in `directory`, without leaving one.
fn probe(directory: &Path) -> Result<(), Failure> {
    let probed = tempfile::tempfile_in(directory).map(drop);
    probed.map_err(|source| Failure::Output { path: directory.to_owned(), source })
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Puts `bytes` at `path` through a temporary file beside it (mode 0600, as transcripts are private), so that a full disk or
/// a kill leaves the old state; pipes and devices are written to as they are.
fn write_whole(path: &Path, bytes: &[u8], overwrite: bool, interrupt: &Interrupt) -> io::Result<()> {
    // A link stays a link, what it points to is replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let _held = interrupt.hold_off();
    fs::create_dir_all(parent(path))?;
    let mut file = tempfile::Builder::new().prefix(".subrosa-").tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    // Some file systems tell only now that they are full.
    file.as_file().sync_all()?;
    let placed = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map(drop).map_err(|failed| failed.error)
}
