//! What comes out of recordings that can be read. They are silent: what is said in them is tested with the engine.

use std::{
    collections::HashSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    thread,
};

use crate::kit::{
    data_dir, end_of, folder, names, pipe, run, silence, talkative, transcribe_with_models, without_privileges, wrapped,
};

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
fn a_reader_that_goes_away_ends_the_recordings_that_are_still_waiting_too() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    // Open and never written to: whoever reads it waits for ever.
    let _silent = fs::File::options().read(true).write(true).open(pipe(&folder, "pipe")).unwrap();
    command
        .current_dir(&folder)
        .args(["a.wav", "pipe", "--threads", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = end_of(child);
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
    let limited = || {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
        let mut limited = wrapped(shell, &command);
        limited.current_dir(&folder).arg("a.wav");
        limited
    };
    run(limited().args(["--output", "a.json"])).assert_one_line(5, &["a.json", "File too large"]);
    // The text of silence is empty and fits; without the other file it would stand in the way of the next run.
    run(limited().args(["--format", "txt,json", "--output-dir", "."]))
        .assert_one_line(5, &["a.json", "File too large"]);
    assert_eq!(names(folder.path()), ["a.wav"]);
}

#[test]
fn standard_output_on_a_full_disk_is_an_output_error() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.current_dir(&folder).args(["a.wav", "--format", "json"]).stdout(full).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.lines().count()), (Some(5), 1), "{error}");
    assert!(error.contains("cannot write standard output: No space left"), "{error}");
}

#[test]
fn a_pipe_is_written_to_even_where_no_file_can_be_made() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let pipe = pipe(&folder, "player.vtt");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    command.arg(folder.path().join("a.wav")).arg("--output").arg(&pipe);
    let Some(mut command) = without_privileges(&command) else { return };
    // Opened for both directions, so that nobody waits for the other end.
    let mut reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let ended = run(&mut command);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let mut document = [0; 8];
    reader.read_exact(&mut document).unwrap();
    assert_eq!(&document, b"WEBVTT\n\n");
    // So that it can be removed by others than root.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_transcript_that_is_there_costs_its_own_recording_only() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence()), ("b.wav", &silence())]);
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("a.json"), "precious").unwrap();
    let line = "a.wav b.wav --format txt,json --output-dir out";
    run(command.current_dir(&folder).args(line.split(' ')))
        .assert_one_line(5, &["subrosa: a.wav: out/a.json exists already", "--force"]);
    assert_eq!(names(&out), ["a.json", "b.json", "b.txt"]);
    assert_eq!(fs::read(out.join("a.json")).unwrap(), b"precious");
}

#[test]
fn as_many_recordings_are_under_way_as_there_are_threads() {
    let Some(mut command) = transcribe_with_models() else { return };
    let folder = folder(&[]);
    let names: Vec<_> = (0..6).map(|number| format!("call{number}")).collect();
    let pipes: Vec<_> = names.iter().map(|name| pipe(&folder, name)).collect();
    command.current_dir(&folder).args(&names).args(["--threads", "6", "--output-dir", "out"]);
    let child = command.spawn().unwrap();
    thread::spawn(move || {
        // Each opens when the program opens its other end, and none is written to before all are.
        let writers: Vec<_> = pipes.iter().map(|pipe| fs::File::options().write(true).open(pipe).unwrap()).collect();
        writers.iter().for_each(|mut writer| writer.write_all(&silence()).unwrap());
    });
    assert!(end_of(child).status.success());
}

#[test]
fn rttm_tells_the_speakers_of_a_call_apart() {
    let (Some(mut command), Some(data)) = (transcribe_with_models(), data_dir()) else { return };
    let ended = run(command.arg(data.join("samples/sample.wav")).args(["--format", "rttm", "--speakers", "2"]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let mut speakers = HashSet::new();
    for line in ended.out.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!((fields.len(), fields[0], fields[1]), (10, "SPEAKER", "sample.wav"), "{line}");
        speakers.insert(fields[7]);
    }
    assert_eq!(speakers, HashSet::from(["spk_1", "spk_2"]), "{}", ended.out);
}

#[test]
fn quiet_means_silent_and_otherwise_the_pace_is_told() {
    let Some(command) = transcribe_with_models() else { return };
    let folder = folder(&[("a.wav", &silence())]);
    let ended = run(talkative(&command).arg("a.wav").current_dir(&folder));
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.lines().last().unwrap().contains("real time)"), "{}", ended.err);
    let best_is_here = data_dir().unwrap().join("models/wespeaker-resnet34-lm").exists();
    assert_eq!(ended.err.contains("note: speakers are told apart with ge2e"), !best_is_here, "{}", ended.err);
}
