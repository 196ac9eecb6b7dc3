//! Ctrl-C and polite kills leave nothing half-written.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::kit::{data_dir, folder, names, pipe, silence, subrosa, transcribe_with_models, wav};

#[test]
fn an_interrupted_run_says_so_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let Some(mut command) = transcribe_with_models() else { return };
        let folder = folder(&[]);
        let pipe = pipe(&folder, "call");
        command.current_dir(&folder).args(["call", "--output", "call.txt"]).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // Opens when the binary opens the other end, so everything before that has happened.
        let writer = File::options().write(true).open(&pipe).unwrap();
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        drop(writer);
        assert_eq!(output.status.code(), Some(130), "SIG{signal}");
        assert_eq!(output.stderr, b"subrosa: interrupted; nothing was left half-written\n");
        assert_eq!(names(folder.path()), ["call"]);
    }
}

#[test]
fn an_interruption_in_the_middle_of_recognition_keeps_what_is_complete_and_nothing_else() {
    let Some(data) = data_dir() else { return };
    let call = fs::read(data.join("samples/sample.wav")).unwrap();
    let samples = &call[call.windows(4).position(|name| name == b"data").unwrap() + 8..];
    // Five minutes of speech, slowed down: longer than any machine takes from the first line to the signal.
    let long = samples.repeat(5);
    let folder = folder(&[("short.wav", &silence()), ("long.wav", &wav(1, long.len() as u32, &long))]);
    let mut command = subrosa();
    command.env("SUBROSA_DATA_DIR", data).current_dir(&folder).stderr(Stdio::piped());
    let line = "transcribe short.wav long.wav --model tiny.en --threads 1 --format txt,json --output-dir out";
    let mut child = command.args(line.split(' ')).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("subrosa: long.wav: recognising")));
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(lines.last().as_deref(), Some("subrosa: interrupted; nothing was left half-written"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(names(&folder.path().join("out")), ["short.json", "short.txt"]);
}
