//! Outputs that cannot be written are refused before the work begins.

use std::fs;

use crate::kit::{folder, names, run, silence, transcribe};

#[test]
fn a_transcript_that_exists_stays_unless_forced() {
    let folder = folder(&[("a.wav", &silence()), ("a.txt", b"precious")]);
    let ended = run(transcribe().current_dir(&folder).args(["a.wav", "--output", "a.txt"]));
    ended.assert_one_line(5, &["a.txt", "--force"]);
    let ended = run(transcribe().current_dir(&folder).args(["a.wav", "--output-dir", "."]));
    ended.assert_one_line(5, &["a.txt", "--force"]);
    assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"precious");
}

#[test]
fn a_recording_is_never_overwritten_by_its_transcript() {
    let folder = folder(&[("a.wav", &silence())]);
    let mut command = transcribe();
    command.current_dir(&folder).args(["a.wav", "--force", "--format", "txt", "--output", "./a.wav"]);
    run(&mut command).assert_one_line(2, &["a.wav is a recording of this run"]);
    assert_eq!(fs::read(folder.path().join("a.wav")).unwrap(), silence());
}

#[test]
fn a_directory_that_is_missing_or_no_directory_is_named() {
    let folder = folder(&[("a.wav", &silence()), ("file", b"")]);
    let to = |option: &str, path: &str| run(transcribe().current_dir(&folder).args(["a.wav", option, path]));
    to("--output", "no/such/call.txt").assert_one_line(5, &["no/such", "No such file"]);
    to("--output", ".").assert_one_line(2, &["is a directory", "--output-dir"]);
    to("--output-dir", "file").assert_one_line(5, &["file", "Not a directory"]);
    assert_eq!(names(folder.path()), ["a.wav", "file"]);
}

#[test]
fn two_recordings_never_share_a_transcript() {
    let folder = folder(&[("a.wav", &silence()), ("a.mp3", &silence())]);
    let ended = run(transcribe().current_dir(&folder).args(["a.wav", "a.mp3", "--output-dir", "out"]));
    ended.assert_one_line(2, &["a.wav", "a.mp3", "out/a.txt"]);
    assert_eq!(names(folder.path()), ["a.mp3", "a.wav"]);
}
