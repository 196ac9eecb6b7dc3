//! The life of keys from the command line, and every keyring that is refused before anything is started.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use tempfile::TempDir;

use crate::kit::{Ended, run, subrosa};

const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SHORT: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==";
const B: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A directory that the account of the private cluster can enter.
fn data() -> TempDir {
    let data = TempDir::new().unwrap();
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    data
}

fn keys(data: &TempDir, arguments: &[&str]) -> Command {
    let mut command = subrosa();
    for variable in ["SUBROSA_KEYS", "SUBROSA_KEYS_FILE", "SUBROSA_KEYS_COMMAND", "DATABASE_URL", "DATABASE_OWNER_URL"]
    {
        command.env_remove(variable);
    }
    command.env("SUBROSA_DATA_DIR", data.path()).args(arguments);
    command
}

/// Asserts that a keyring is refused with this code and message, without showing a key or starting anything.
#[track_caller]
fn assert_refused(name: &str, value: &str, code: i32, part: &str) {
    let data = data();
    let ended = run(keys(&data, &["keys", "list"]).env(name, value));
    ended.assert_one_line(code, &[part]);
    for key in [&A[..16], &B[..16], &SHORT[..16], "not/base64/at/all"] {
        assert!(!ended.err.contains(key), "{}", ended.err);
    }
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "something was started: {part}");
}

#[test]
fn every_bad_keyring_ends_with_its_own_code_and_message_before_anything_starts() {
    let data = data();
    run(&mut keys(&data, &["keys", "list"])).assert_one_line(10, &["no key: set SUBROSA_KEYS_FILE"]);
    let both = run(keys(&data, &["keys", "list"]).env("SUBROSA_KEYS", "x").env("SUBROSA_KEYS_FILE", "y"));
    both.assert_one_line(11, &["both SUBROSA_KEYS and SUBROSA_KEYS_FILE are set"]);
    for (value, code, part) in [
        ("", 12, "the keyring is empty"),
        (A, 13, "entry 1 of the keyring has no id"),
        (&format!("{A}:k1"), 13, "entry 1 of the keyring has no usable id"),
        ("k1:", 14, "key k1 is empty"),
        ("k1:not/base64/at/all!", 15, "key k1 is not base64"),
        (&format!("k1:{SHORT}"), 16, "key k1 is 31 bytes long"),
        (&format!("k1:{ZEROS}"), 17, "key k1 is no random key"),
        (&format!("k1:{A},k1:{B}"), 18, "two keys have the id k1"),
        (&format!("k1:{A},k1:{A}"), 18, "two keys have the id k1"),
        (&format!("k1:{A},k2:{A}"), 19, "keys k1 and k2 are the same key"),
        (&"k1:,".repeat(20_000), 14, "key k1 is empty"),
    ] {
        assert_refused("SUBROSA_KEYS", value, code, part);
    }
    assert_refused("SUBROSA_KEYS_FILE", "/nonexistent/keys", 21, "key file /nonexistent/keys");
    assert_refused("SUBROSA_KEYS_FILE", "/", 21, "is not a regular file");
    assert_refused("SUBROSA_KEYS_COMMAND", "exit 7", 24, "SUBROSA_KEYS_COMMAND failed: exit status: 7");
    assert_refused("SUBROSA_KEYS_COMMAND", "yes", 20, "longer than 64 KiB");
}

#[test]
fn a_key_file_that_others_can_read_or_own_is_refused() {
    let folder = data();
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("k1:{A}")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused("SUBROSA_KEYS_FILE", file.to_str().unwrap(), 22, "has mode 0644");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Only root can give a file away.
    if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
        assert_refused("SUBROSA_KEYS_FILE", file.to_str().unwrap(), 23, "belongs to user 65534");
    }
}

#[test]
fn a_key_lives_from_generate_to_retire() {
    let data = data();
    let generate = |id: &str| run(&mut keys(&data, &["keys", "generate", id])).out.trim().to_owned();
    let with = |ring: &str, arguments: &[&str]| -> Ended { run(keys(&data, arguments).env("SUBROSA_KEYS", ring)) };
    let (one, two) = (generate("one"), generate("two"));
    assert!(one.starts_with("one:") && one.len() == 48, "the length of a key in base64 and its id");
    let both = format!("{two},{one}");

    // Looking makes nothing: neither a schema nor keys.
    with(&one, &["keys", "list"]).assert_one_line(7, &["the schema is at version 0", "`subrosa keys rotate`"]);
    let made = with(&one, &["keys", "rotate"]);
    assert!(made.code == Some(0) && made.err.contains("0 keys sealed again under one"), "{}", made.err);
    let listed = with(&one, &["keys", "list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    assert!(listed.out.contains("one") && listed.out.contains("seals"), "{}", listed.out);
    with(&format!("one:{A}"), &["keys", "list"]).assert_one_line(25, &["key one does not open this database"]);
    with(&two, &["keys", "list"]).assert_one_line(26, &["does not open this database: it lacks key one"]);
    with(&both, &["keys", "retire", "one"]).assert_one_line(9, &["key one still seals 5 keys", "subrosa keys rotate"]);
    let rotated = with(&both, &["keys", "rotate"]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.err);
    assert!(
        rotated.err.contains("5 of 5 keys\n") && rotated.err.contains("5 keys sealed again under two"),
        "{}",
        rotated.err
    );
    let tokens = with(&two, &["keys", "rotate-tokens"]);
    assert!(tokens.code == Some(0) && tokens.err.contains("signed with key 2 from now on"), "{}", tokens.err);
    let retired = with(&both, &["keys", "retire", "one"]);
    assert_eq!(retired.code, Some(0), "{}", retired.err);
    with(&one, &["keys", "list"]).assert_one_line(27, &["key one was retired"]);
    for arguments in [["receipts", "verify"], ["audit", "verify"], ["restore", "check"]] {
        let ended = with(&two, &arguments);
        assert_eq!((ended.code, ended.err.lines().count()), (Some(0), 1), "{}", ended.err);
    }
    for key in [&one[4..], &two[4..]] {
        assert!(!listed.err.contains(key) && !rotated.err.contains(key) && !listed.out.contains(key));
    }
}
