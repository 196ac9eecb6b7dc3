//! Runs of the binary, and recordings to give it.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Far more than a run over seconds of audio takes on a busy machine; only a run that hangs takes it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Asserts that the run failed with `code` and one line on standard error that holds `parts`, and printed nothing.
    #[track_caller]
    pub(crate) fn assert_one_line(&self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.starts_with("subrosa: "), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is missing in {}", self.err);
        }
    }
}

/// The binary without models and with nothing on standard input.
pub(crate) fn subrosa() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subrosa"));
    // What tests are told is no setting of the program.
    command
        .env_remove("SUBROSA_AUDIO")
        .env_remove("SUBROSA_MODEL")
        .env("SUBROSA_DATA_DIR", "/nonexistent/subrosa")
        .stdin(Stdio::null());
    command
}

/// `subrosa transcribe --quiet`, to be given options and recordings.
pub(crate) fn transcribe() -> Command {
    let mut command = subrosa();
    command.args(["transcribe", "--quiet"]);
    command
}

/// `subrosa transcribe --quiet --model tiny.en` with the small models, or nothing where they were not fetched (`cargo
/// xtask models` does).
pub(crate) fn transcribe_with_models() -> Option<Command> {
    let data = data_dir()?;
    let mut command = transcribe();
    command.env("SUBROSA_DATA_DIR", data).args(["--model", "tiny.en"]);
    Some(command)
}

/// The same command without `--quiet`.
pub(crate) fn talkative(command: &Command) -> Command {
    let mut talkative = Command::new(command.get_program());
    talkative.args(command.get_args().filter(|arg| *arg != "--quiet")).stdin(Stdio::null());
    talkative.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    talkative
}

/// The data directory of the tests, where the models are in it.
pub(crate) fn data_dir() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.data");
    let data = std::env::var_os("SUBROSA_DATA_DIR").map_or_else(default, PathBuf::from);
    if !data.join("models").is_dir() {
        eprintln!("skipped: no models in {}; `cargo xtask models` fetches them", data.display());
        return None;
    }
    data.canonicalize().ok()
}

pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The command without root's right to read and write everything, or nothing where that cannot be given up.
pub(crate) fn without_privileges(command: &Command) -> Option<Command> {
    let drop = ["--bounding-set", "-dac_override,-dac_read_search"];
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Some(wrapped(Command::new("env"), command));
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.args(drop);
    if !Command::new("setpriv").args(drop).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: root may do everything, and cannot give that up without setpriv");
        return None;
    }
    Some(wrapped(setpriv, command))
}

/// `command` as `wrapper` runs it; with the same environment, but for the working directory.
pub(crate) fn wrapped(mut wrapper: Command, command: &Command) -> Command {
    wrapper.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    wrapper.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapper
}

/// How a run ends that must not wait for ever; one that does is killed, and fails the test.
pub(crate) fn end_of(child: Child) -> Output {
    let id = child.id().to_string();
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            Command::new("kill").args(["-s", "KILL", &id]).status().unwrap();
            panic!("the run hangs");
        }
    }
}

/// Makes a named pipe in `folder`.
pub(crate) fn pipe(folder: &TempDir, name: &str) -> PathBuf {
    let pipe = folder.path().join(name);
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

/// A directory with a file for each of `files`.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Names of what lies in `folder`, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// One second of silence: 8 kHz, 16 bits, mono.
pub(crate) fn silence() -> Vec<u8> {
    wav(1, 16_000, &[0; 16_000])
}

/// A WAV file of `channels` channels, 8 kHz and 16 bits whose header claims `claimed` bytes of samples.
pub(crate) fn wav(channels: u16, claimed: u32, samples: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(claimed.saturating_add(36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(channels.to_le_bytes());
    bytes.extend(8_000u32.to_le_bytes());
    bytes.extend((16_000 * u32::from(channels)).to_le_bytes());
    bytes.extend((2 * channels).to_le_bytes());
    bytes.extend(b"\x10\0data");
    bytes.extend(claimed.to_le_bytes());
    bytes.extend(samples);
    bytes
}
