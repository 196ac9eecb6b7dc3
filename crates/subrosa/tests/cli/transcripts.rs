//! What comes out of recordings that can be read. They are silent: what is said in them is tested with the engine.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use crate::kit::{folder, names, run, silence, transcribe_with_models};

#[test]
fn the_ending_of_the_output_decides_the_format() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let ended = run(command.current_dir(&folder).args(["a.wav", "--output", "a.vtt"]));
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));
    assert_eq!(fs::read(folder.path().join("a.vtt")).unwrap(), b"WEBVTT\n\n");
}

#[test]
fn transcripts_are_private_and_nothing_else_is_written() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence()), ("b.wav", &silence())]);
    let ended = run(command.current_dir(&folder).args("a.wav b.wav --format txt,json --output-dir out".split(' ')));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let out = folder.path().join("out");
    assert_eq!(names(&out), ["a.json", "a.txt", "b.json", "b.txt"]);
    let mode = fs::metadata(out.join("a.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn json_is_the_transcript_of_the_contract() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let ended = run(command.current_dir(&folder).args(["a.wav", "--format", "json", "--word-times"]));
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(document["schemaVersion"], 2);
    assert_eq!(document["segments"], serde_json::json!([]));
    assert!(document["createdAt"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn several_transcripts_on_standard_output_stand_in_order_under_their_names() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence()), ("b.wav", &silence()), ("c.wav", &silence())]);
    let ended = run(command.current_dir(&folder).args(["c.wav", "a.wav", "b.wav"]));
    assert_eq!(ended.out, "==> c.wav <==\n\n==> a.wav <==\n\n==> b.wav <==\n\n");
}

#[test]
fn standard_input_may_be_a_pipe() {
    let Some(mut command) = transcribe_with_models() else { return };
    command.args(["-", "--format", "vtt"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&silence()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"WEBVTT\n\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    command.current_dir(&folder).args(["a.wav", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_full_device_is_an_output_error() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let ended = run(command.current_dir(&folder).args(["a.wav", "--format", "json", "--output", "/dev/full"]));
    ended.assert_one_line(5, &["/dev/full: No space left", "make room"]);
}

#[test]
fn a_disk_that_takes_no_more_leaves_no_partial_transcript() {
    let Some(command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    // A file size limit of zero fails every write the way a full disk does, after the file was made.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]).arg(command.get_program());
    limited.args(command.get_args()).current_dir(&folder).stdin(Stdio::null());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.args(["a.wav", "--format", "json", "--output", "a.json"]);
    run(&mut limited).assert_one_line(5, &["a.json", "File too large"]);
    assert_eq!(names(folder.path()), ["a.wav"]);
}

#[test]
fn quiet_means_silent_and_otherwise_the_pace_is_told() {
    let Some(command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let mut talkative = Command::new(command.get_program());
    talkative.args(command.get_args().filter(|arg| *arg != "--quiet")).arg("a.wav").current_dir(&folder);
    talkative.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = run(&mut talkative);
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.lines().last().unwrap().contains("real time)"), "{}", ended.err);
}
