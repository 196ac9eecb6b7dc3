//! Recordings that cannot be opened: told at once, one line each, without loading a model.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::kit::{folder, run, silence, transcribe, without_privileges};

#[test]
fn a_missing_recording_a_directory_and_an_empty_file_are_told_apart() {
    let folder = folder(&[("empty.wav", b"")]);
    let of = |name: &str| run(transcribe().current_dir(&folder).arg(name));
    of("missing.wav").assert_one_line(1, &["missing.wav: cannot open it: No such file", "check the name"]);
    of(".").assert_one_line(1, &[".: is a directory", "name the recordings"]);
    of("empty.wav").assert_one_line(1, &["empty.wav: is empty"]);
}

#[test]
fn a_recording_that_may_not_be_read_is_named() {
    let folder = folder(&[("secret.wav", b"RIFF")]);
    let secret = folder.path().join("secret.wav");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = transcribe();
    let Some(mut command) = without_privileges(command.arg(&secret)) else { return };
    run(&mut command).assert_one_line(1, &["secret.wav: cannot open it: Permission denied", "check its permissions"]);
}

#[test]
fn each_bad_recording_of_a_batch_gets_its_own_line() {
    let folder = folder(&[("empty.wav", b"")]);
    let ended = run(transcribe().current_dir(&folder).args(["empty.wav", "missing.wav", "."]));
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    let lines: Vec<_> = ended.err.lines().collect();
    assert!(lines[0].starts_with("subrosa: empty.wav: "), "{lines:?}");
    assert!(lines[1].starts_with("subrosa: missing.wav: "), "{lines:?}");
    assert!(lines[2].starts_with("subrosa: .: "), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn nothing_of_a_name_that_a_terminal_acts_upon_reaches_it() {
    let folder = folder(&[("a.wav", &silence())]);
    let hostile = "\u{1b}[31mred\n\u{9b}2J\u{202e}gnp/a.txt";
    for arguments in [&[hostile][..], &["a.wav", "--output", hostile], &["--language", hostile, "a.wav"]] {
        let ended = run(transcribe().current_dir(&folder).args(arguments));
        assert!(ended.err.contains("gnp"), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ended.err.contains(acts), "{:?}", ended.err);
    }
}
