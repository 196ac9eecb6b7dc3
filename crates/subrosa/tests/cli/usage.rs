//! Command lines that make no sense end with 2 before anything is read, and say what would make sense.

use crate::kit::{Ended, folder, run, silence, subrosa, transcribe};

/// Runs `subrosa transcribe a.wav OPTIONS` beside a recording.
fn with(options: &[&str]) -> Ended {
    let folder = folder(&[("a.wav", &silence()), ("b.wav", &silence())]);
    run(transcribe().current_dir(&folder).arg("a.wav").args(options))
}

#[track_caller]
fn assert_usage(ended: &Ended, parts: &[&str]) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{}", ended.err);
    for part in parts {
        assert!(ended.err.contains(part), "{part:?} is missing in {}", ended.err);
    }
}

#[test]
fn no_recording_is_a_usage_error() {
    assert_usage(&run(subrosa().arg("transcribe")), &["<FILE>", "--help"]);
}

#[test]
fn an_unknown_language_gets_suggestions() {
    assert_usage(&with(&["--language", "germn"]), &["germn", "german (de)"]);
}

#[test]
fn an_unknown_format_device_or_channel_mode_lists_what_there_is() {
    assert_usage(&with(&["--format", "txt,pdf"]), &["pdf", "srt"]);
    assert_usage(&with(&["--device", "tpu"]), &["tpu", "cuda"]);
    assert_usage(&with(&["--channels", "left"]), &["left", "split"]);
}

#[test]
fn an_impossible_number_of_speakers_or_threads_is_refused() {
    assert_usage(&with(&["--speakers", "0"]), &["from 1 to"]);
    assert_usage(&with(&["--speakers", "4-2"]), &["the fewest and the most"]);
    assert_usage(&with(&["--threads", "0"]), &["--threads"]);
}

#[test]
fn an_unknown_model_lists_those_there_are() {
    let ended = with(&["--model", "tiny.fr"]);
    ended.assert_one_line(2, &["tiny.fr", "tiny.en", "large-v3-turbo"]);
}

#[test]
fn word_times_need_a_format_that_shows_them() {
    with(&["--word-times"]).assert_one_line(2, &["--format json"]);
}

#[test]
fn several_transcripts_need_a_directory() {
    with(&["--format", "txt,srt"]).assert_one_line(2, &["--output-dir"]);
    with(&["b.wav", "--format", "json"]).assert_one_line(2, &["--output-dir"]);
    with(&["b.wav", "--output", "both.txt"]).assert_one_line(2, &["--output-dir"]);
}

#[test]
fn an_ending_that_names_no_format_asks_for_one() {
    with(&["--output", "call.pdf"]).assert_one_line(2, &[".pdf", "--format"]);
}

#[test]
fn standard_input_is_read_only_once() {
    run(transcribe().args(["-", "-"])).assert_one_line(2, &["only once"]);
}

#[test]
fn a_model_that_is_not_there_is_told_apart_from_one_that_does_not_exist() {
    let data = tempfile::tempdir().unwrap();
    let folder = folder(&[("a.wav", &silence())]);
    let mut command = transcribe();
    command.current_dir(&folder).env("SUBROSA_DATA_DIR", data.path());
    run(command.args(["--model", "tiny.en", "a.wav"])).assert_one_line(3, &["subrosa models pull"]);
}
