//! Ctrl-C and polite kills leave nothing half-written.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use crate::kit::{folder, names, transcribe_with_models};

#[test]
fn an_interrupted_run_says_so_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let Some(mut command) = transcribe_with_models() else { return };
        let folder = folder(&[]);
        let pipe = folder.path().join("call");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
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
