//! Outputs that cannot be written are refused before the work begins.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use crate::kit::{folder, names, run, silence, transcribe, without_privileges};

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
    to("--output-dir", "file/below").assert_one_line(5, &["file", "Not a directory"]);
    assert_eq!(names(folder.path()), ["a.wav", "file"]);
}

#[test]
fn a_directory_that_may_not_be_written_is_named_even_where_it_has_yet_to_be_made() {
    let folder = folder(&[("a.wav", &silence())]);
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = transcribe();
    command.arg(folder.path().join("a.wav")).arg("--output-dir").arg(closed.join("calls/today"));
    let Some(mut command) = without_privileges(&command) else { return };
    run(&mut command).assert_one_line(5, &["closed: Permission denied", "check its permissions"]);
}

#[test]
fn what_is_no_file_and_stands_where_a_transcript_goes_is_named() {
    let folder = folder(&[("a.wav", &silence())]);
    fs::create_dir_all(folder.path().join("out/a.txt")).unwrap();
    symlink("nowhere/at/all", folder.path().join("link.txt")).unwrap();
    for force in [&[][..], &["--force"]] {
        let to = |option, path| run(transcribe().current_dir(&folder).args(["a.wav", option, path]).args(force));
        to("--output-dir", "out").assert_one_line(5, &["a.wav: cannot write out/a.txt: it is a directory"]);
        to("--output", "link.txt").assert_one_line(5, &["cannot write link.txt: it is a link to nothing"]);
    }
}

#[test]
fn two_recordings_never_share_a_transcript() {
    let folder = folder(&[("a.wav", &silence()), ("a.mp3", &silence())]);
    let ended = run(transcribe().current_dir(&folder).args(["a.wav", "a.mp3", "--output-dir", "out"]));
    ended.assert_one_line(2, &["a.wav", "a.mp3", "out/a.txt"]);
    assert_eq!(names(folder.path()), ["a.mp3", "a.wav"]);
}
