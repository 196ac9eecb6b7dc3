//! Command lines that make no sense end with 2 before anything is read, and say what would make sense.

use crate::kit::{Ended, folder, run, silence, subrosa, transcribe};

/// Runs `subrosa transcribe a.wav OPTIONS` beside a recording.
fn with(options: &[&str]) -> Ended {
    let folder = folder(&[("a.wav", &silence()), ("b.wav", &silence())]);
    run(transcribe().current_dir(&folder).arg("a.wav").args(options))
}

#[test]
fn no_recording_is_a_usage_error() {
    run(subrosa().arg("transcribe")).assert_one_line(2, &["<FILE>", "--help"]);
}

#[test]
fn an_unknown_language_gets_suggestions() {
    with(&["--language", "germn"]).assert_one_line(2, &["germn", "german (de)"]);
}

#[test]
fn an_unknown_format_device_or_channel_mode_lists_what_there_is() {
    with(&["--format", "txt,pdf"]).assert_one_line(2, &["pdf", "srt"]);
    with(&["--device", "tpu"]).assert_one_line(2, &["tpu", "cuda"]);
    with(&["--channels", "left"]).assert_one_line(2, &["left", "split"]);
}

#[test]
fn an_impossible_number_of_speakers_or_threads_is_refused() {
    with(&["--speakers", "0"]).assert_one_line(2, &["from 1 to"]);
    with(&["--speakers", "4-2"]).assert_one_line(2, &["the fewest and the most"]);
    with(&["--threads", "0"]).assert_one_line(2, &["--threads"]);
}

#[test]
fn an_unknown_model_lists_those_there_are() {
    let ended = with(&["--model", "tiny.fr"]);
    ended.assert_one_line(2, &["tiny.fr", "tiny.en", "large-v3-turbo"]);
}

#[test]
fn an_option_that_does_not_exist_is_one_line_with_the_one_that_was_meant() {
    with(&["--hotword", "Subrosa"]).assert_one_line(2, &["--hotword'", "'--hotwords'", "--help"]);
}

#[test]
fn more_context_than_the_model_hears_is_refused_without_repeating_it() {
    let ended = with(&["--hotwords", &"Quince, ".repeat(200), "--prompt", &"and so on ".repeat(50)]);
    ended.assert_one_line(2, &["2100 characters", "at most 2000"]);
    assert!(!ended.err.contains("Quince"));
}

#[test]
fn an_empty_data_directory_in_the_environment_is_none() {
    let home = tempfile::tempdir().unwrap();
    let mut command = subrosa();
    command.env("SUBROSA_DATA_DIR", "").env("XDG_DATA_HOME", home.path());
    let ended = run(command.args(["models", "path"]));
    assert_eq!(ended.out, format!("{}\n", home.path().join("subrosa/models").display()), "{}", ended.err);
    run(subrosa().args(["models", "path", "--data-dir", ""])).assert_one_line(2, &["--data-dir"]);
}

#[test]
fn an_analysis_needs_a_format_that_shows_it() {
    with(&["--analyze", "--format", "srt"]).assert_one_line(2, &["--format txt"]);
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
