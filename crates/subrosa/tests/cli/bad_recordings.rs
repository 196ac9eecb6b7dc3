//! Recordings that lie about what they are: one clear line, exit code 1, nothing left behind, and the others go on.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read as _},
    os::unix::fs::symlink,
    path::Path,
};

use crate::kit::{
    Ended, data_dir, folder, names, pipe, run, silence, subrosa, transcribe, transcribe_with_models, wav,
};

/// Transcribes `bad` along with a good recording into a directory, and checks all that holds for every bad one.
fn beside_a_good_one(name: &str, bad: &[u8]) -> Option<Ended> {
    let mut command = transcribe_with_models()?;
    let folder = folder(&[(name, bad), ("good.wav", &silence())]);
    let ended = run(command.current_dir(&folder).args([name, "good.wav", "--output-dir", "out"]));
    ended.assert_one_line(1, &[&format!("subrosa: {name}: ")]);
    assert_eq!(names(&folder.path().join("out")), ["good.txt"], "the good one goes on, nothing is left of the bad one");
    Some(ended)
}

#[test]
fn a_text_file_named_wav() {
    beside_a_good_one("notes.wav", b"Dear diary, this is no recording.\n");
}

#[test]
fn an_archive_named_mp3() {
    // 64 KiB that expand to 64 MiB of zeros.
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("call.mp3", zip::write::SimpleFileOptions::default()).unwrap();
    io::copy(&mut io::repeat(0).take(64 << 20), &mut zip).unwrap();
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 100 << 10, "{}", bomb.len());
    beside_a_good_one("bomb.mp3", &bomb);
}

#[test]
fn a_recording_of_a_hundred_channels() {
    beside_a_good_one("choir.wav", &wav(100, 160_000, &[0; 160_000]));
}

#[test]
fn random_bytes_named_m4a() {
    let noise: Vec<u8> = (0u32..65_536).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    beside_a_good_one("noise.m4a", &noise);
}

#[test]
fn a_header_that_claims_four_gigabytes_costs_no_more_than_what_is_there() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("long.wav", &wav(1, u32::MAX - 36, &[0; 16_000]))]);
    let ended = run(command.current_dir(&folder).args(["long.wav", "--format", "json"]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert!((document["durationSeconds"].as_f64().unwrap() - 1.0).abs() < 0.1, "{}", ended.out);
}

#[test]
fn a_recording_that_vanishes_before_its_turn_fails_alone() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("vanishes.wav", &silence()), ("stays.wav", &silence())]);
    let pipe = pipe(&folder, "pipe");
    // One thread takes one recording at a time: while it waits for the pipe, the next one goes.
    command.current_dir(&folder).args("pipe vanishes.wav stays.wav --threads 1 --output-dir out".split(' '));
    let vanishing = folder.path().join("vanishes.wav");
    let vanish = std::thread::spawn(move || {
        let writer = File::options().write(true).open(pipe).unwrap();
        fs::remove_file(vanishing).unwrap();
        std::io::Write::write_all(&mut &writer, &silence()).unwrap();
    });
    let ended = run(&mut command);
    vanish.join().unwrap();
    ended.assert_one_line(1, &["vanishes.wav: cannot open it", "No such file"]);
    assert_eq!(names(&folder.path().join("out")), ["pipe.txt", "stays.txt"]);
}

#[test]
fn a_damaged_or_half_downloaded_model_is_named() {
    let Some(data) = data_dir() else { return };
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&data.join("models"), &copy.path().join("models"));
    let model = copy.path().join("models/whisper-tiny.en/model.bin");
    let folder = folder(&[("a.wav", &silence())]);
    let with_copy = || {
        let mut command = transcribe();
        command.env("SUBROSA_DATA_DIR", copy.path()).current_dir(&folder);
        run(command.args(["--model", "tiny.en", "a.wav", "--output", "a.txt"]))
    };
    let mut bytes = fs::read(data.join("models/whisper-tiny.en/model.bin")).unwrap();
    fs::remove_file(&model).unwrap();
    fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    with_copy().assert_one_line(3, &["whisper-tiny.en/model.bin", "bytes instead of", "subrosa models pull"]);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, &bytes).unwrap();
    with_copy().assert_one_line(3, &["whisper-tiny.en/model.bin", "SHA-256", "subrosa models pull"]);
    let mut verify = subrosa();
    verify.env("SUBROSA_DATA_DIR", copy.path()).args(["models", "verify", "tiny.en"]);
    run(&mut verify).assert_one_line(3, &["whisper-tiny.en/model.bin", "SHA-256"]);
    fs::remove_file(&model).unwrap();
    with_copy().assert_one_line(3, &["tiny.en", "subrosa models pull"]);
    assert_eq!(names(folder.path()), ["a.wav"]);
}

/// Copies directories, links files.
fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target);
        } else {
            symlink(&source, &target).unwrap();
        }
    }
}
