//! What a keyring refuses, and that no refusal shows a key.

use std::{ffi::OsString, os::unix::fs::PermissionsExt as _};

use proptest::prelude::*;

use super::*;

const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const B: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// The message of a refusal; it must not show any part of a key.
fn refusal(text: &str) -> String {
    let message = Keyring::parse(text).err().unwrap_or_else(|| panic!("accepted")).to_string();
    let secrets = text.split(',').map(|entry| entry.split_once(':').map_or(entry, |(_, key)| key).trim());
    for secret in secrets.filter(|secret| secret.len() > 8) {
        assert!(!message.contains(secret), "{message}");
    }
    message
}

#[test]
fn every_fault_of_a_keyring_has_its_own_message_that_names_the_key() {
    let zeros = "A".repeat(43);
    let short = BASE64.encode((1..32).collect::<Vec<u8>>());
    let faults = [
        (String::new(), "the keyring is empty"),
        (" \n".to_owned(), "the keyring is empty"),
        (A.to_owned(), "entry 1 of the keyring has no id"),
        (format!("{A}:k1"), "entry 1 of the keyring has no usable id"),
        (format!("k1:{A},"), "entry 2 of the keyring has no id"),
        (format!("k 1:{A}"), "entry 1 of the keyring has no usable id"),
        ("k1:".to_owned(), "key k1 is empty"),
        ("k1:not/base64/at/all!".to_owned(), "key k1 is not base64"),
        (format!("k1:{short}"), "key k1 is 31 bytes long"),
        (format!("k1:{A}AAAA"), "key k1 is not base64"),
        (format!("k1:{}A", &A[..43]), "key k1 is 33 bytes long"),
        (format!("k1:{A},k2:{zeros}"), "key k2 is no random key"),
        (format!("k1:{A},k1:{B}"), "two keys have the id k1"),
        (format!("k1:{A},k2:{A}"), "keys k1 and k2 are the same key"),
        (format!("k1:{A},k2:{}", A.trim_end_matches('=')), "keys k1 and k2 are the same key"),
    ];
    for (text, expected) in faults {
        let message = refusal(&text);
        assert!(message.starts_with(expected), "{message} instead of {expected}");
    }
    let many: Vec<String> =
        (0..=MAX_KEYS).map(|n| generate(&KeyId(n.to_string())).unwrap().expose_secret().into()).collect();
    assert_eq!(refusal(&many.join(",")), "more than 64 keys; retire the old ones");
}

#[test]
fn a_ring_keeps_its_order_and_the_newest_seals() {
    let ring = Keyring::parse(&format!(" new:{B} ,\n old:{A}\n")).unwrap();
    assert_eq!(ring.newest().id.as_str(), "new");
    assert_eq!(ring.iter().map(|kek| kek.id.as_str()).collect::<Vec<_>>(), ["new", "old"]);
    assert!(ring.find("old").is_some() && ring.find("other").is_none());
}

#[test]
fn a_generated_key_is_accepted_and_never_the_same() {
    let id = KeyId::parse("2026-11").unwrap();
    let (first, second) = (generate(&id).unwrap(), generate(&id).unwrap());
    assert_ne!(first.expose_secret(), second.expose_secret());
    assert_eq!(Keyring::parse(first.expose_secret()).unwrap().newest().id, id);
}

#[test]
fn a_check_value_fits_the_key_that_made_it_and_no_other() {
    let ring = Keyring::parse(&format!("k1:{A},k2:{B}")).unwrap();
    let imposter = Keyring::parse(&format!("k1:{B}")).unwrap();
    let check = ring.newest().check_value().unwrap();
    assert!(ring.newest().fits(&check));
    assert!(!imposter.newest().fits(&check));
    assert!(!ring.find("k2").unwrap().fits(&check));
    assert!(!ring.newest().fits(&check[1..]) && !ring.newest().fits(&[]));
}

#[test]
fn one_source_has_to_be_named() {
    let source = |set: &'static [&str]| {
        KeySource::from_environment(move |name| set.contains(&name).then(|| OsString::from("x"))).err()
    };
    assert!(matches!(source(&[]), Some(KeyringError::Missing)));
    assert!(matches!(
        source(&["SUBROSA_KEYS", "SUBROSA_KEYS_FILE"]),
        Some(KeyringError::Ambiguous { first: "SUBROSA_KEYS", second: "SUBROSA_KEYS_FILE" })
    ));
    assert!(
        source::VARIABLES
            .into_iter()
            .all(|name| KeySource::from_environment(|asked| (asked == name).then(|| "x".into())).is_ok())
    );
}

#[tokio::test]
async fn a_key_file_is_refused_when_others_can_read_it_or_own_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    std::fs::write(&path, format!("k1:{A}\n")).unwrap();
    let set_mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602] {
        set_mode(mode);
        let error = load(&KeySource::File(path.clone())).await.err().unwrap();
        assert!(matches!(error, KeyringError::Mode { mode: found, .. } if found == mode), "{error}");
    }
    for mode in [0o600, 0o400] {
        set_mode(mode);
        assert!(load(&KeySource::File(path.clone())).await.is_ok());
    }
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(&path, Some(65_534.into()), None).unwrap();
        let error = load(&KeySource::File(path.clone())).await.err().unwrap();
        assert!(matches!(error, KeyringError::Owner { owner: 65_534, user: 0, .. }), "{error}");
    }
    let error = load(&KeySource::File(directory.path().to_owned())).await.err().unwrap();
    assert!(matches!(error, KeyringError::NotAFile { .. }), "{error}");
    let error = load(&KeySource::File(directory.path().join("none"))).await.err().unwrap();
    assert!(matches!(error, KeyringError::File { .. }), "{error}");
}

#[tokio::test]
async fn a_command_gives_the_keyring_or_says_how_it_failed() {
    let ask = async |command: String| load(&KeySource::Command(command.into())).await;
    assert!(ask(format!("echo k1:{A}")).await.is_ok());
    let failed = ask(format!("echo k1:{A}; exit 3")).await.err().unwrap().to_string();
    assert_eq!(failed, "SUBROSA_KEYS_COMMAND failed: exit status: 3");
    assert!(matches!(ask("true".into()).await, Err(KeyringError::Empty)));
    assert!(matches!(ask("yes".into()).await, Err(KeyringError::TooLong)));
    assert!(matches!(ask(r"printf 'k1:\377'".into()).await, Err(KeyringError::NotText)));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_or_echo(text in "[k12:,=/+ A-Za-z0-9\n]{0,200}") {
        if Keyring::parse(&text).is_err() {
            refusal(&text);
        }
    }
}
