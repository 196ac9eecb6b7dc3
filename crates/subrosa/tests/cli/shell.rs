//! What helps in a shell: help, version, completions, manual pages.

use std::fs;

use crate::kit::{names, run, subrosa};

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let ended = run(subrosa().args(["transcribe", "--help"]));
    assert_eq!(ended.code, Some(0));
    for part in ["Examples:", "--output-dir transcripts", "Exit codes:", "130  interrupted", "large-v3-turbo"] {
        assert!(ended.out.contains(part), "{part:?} is missing in {}", ended.out);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ended = run(subrosa().arg("--version"));
    assert_eq!(ended.out, format!("subrosa {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_shell_gets_completions_of_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(subrosa().args(["completions", shell]));
        assert_eq!(ended.code, Some(0), "{shell}");
        assert!(ended.out.contains("transcribe") && ended.out.contains("hotwords"), "{shell}");
    }
}

#[test]
fn every_subcommand_gets_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let ended = run(subrosa().arg("man").arg(&pages));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let names = names(&pages);
    for page in ["subrosa.1", "subrosa-transcribe.1", "subrosa-models.1", "subrosa-models-pull.1"] {
        assert!(names.iter().any(|name| name == page), "{page} is missing in {names:?}");
    }
    let page = fs::read_to_string(pages.join("subrosa-transcribe.1")).unwrap();
    assert!(page.starts_with(".ie") && page.contains("Exit codes:"), "{page}");
}
