//! The vault's parsers of foreign bytes, from their sources: the whole crate `server` would cost minutes to build with the
//! fuzzer's instrumentation, and it is the parsers that are under test.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "parts of a crate stand without those that use them")]

use std::sync::OnceLock;

#[path = "../../crates/server/src/vault/key.rs"]
pub mod key;
#[path = "../../crates/server/src/vault/keyring/mod.rs"]
pub mod keyring;
#[path = "../../crates/server/src/vault/seal.rs"]
pub mod seal;
#[path = "../../crates/server/src/vault/blobs/stream.rs"]
pub mod stream;

use key::{Key, Purpose};
use keyring::Keyring;

/// Reads a keyring; what it refuses, it refuses without showing a key.
pub fn read_keyring(text: &str) {
    let Err(error) = Keyring::parse(text) else { return };
    let message = error.to_string();
    let keys = text.trim().split(',').filter_map(|entry| Some(entry.split_once(':')?.1.trim()));
    // The fuzzer finds out that a "key" which spells the message is in it; base64 has no spaces.
    for key in keys.filter(|key| key.len() >= 40 && !key.contains(' ')) {
        assert!(!message.contains(key), "a key in an error");
    }
}

/// Opens a part of an object as somebody with write access to the store has left it: `edits` are applied to a genuine one.
/// Only the genuine part opens.
pub fn open_edited_part(edits: &[u8]) {
    static GENUINE: OnceLock<Vec<u8>> = OnceLock::new();
    let (key, purpose) = (Key::copy_of(&[7; 32]), Purpose::new(&[b"blob", b"fuzz"]));
    let plain = vec![42; 3 * stream::CHUNK / 2];
    let genuine = GENUINE.get_or_init(|| {
        stream::seal_part(&key, purpose.clone(), &plain).expect("randomness").expect("one part is enough")
    });
    let mut bytes = genuine.clone();
    for edit in edits.chunks_exact(8) {
        let [what, a0, a1, a2, b0, b1, b2, value] = *edit else { continue };
        let at = u32::from_le_bytes([a0, a1, a2, 0]) as usize % (bytes.len() + 1);
        let other = u32::from_le_bytes([b0, b1, b2, 0]) as usize % (bytes.len() + 1);
        let (from, to) = (at.min(other), at.max(other));
        match what % 5 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(from..to)),
            2 if bytes.len() < 4 * genuine.len() => bytes.extend_from_within(from..to),
            3 => bytes[from..to].reverse(),
            _ if at < bytes.len() => bytes[at] ^= value,
            _ => {}
        }
    }
    let untouched = bytes == *genuine;
    let opened = stream::open_part(&key, purpose, &mut bytes);
    assert_eq!(opened.is_some(), untouched);
    assert!(opened.is_none_or(|opened| opened == plain));
}

/// Opens bytes that nobody sealed.
pub fn open_foreign_part(bytes: &[u8]) {
    let key = Key::copy_of(&[7; 32]);
    assert!(stream::open_part(&key, Purpose::new(&[b"blob"]), &mut bytes.to_vec()).is_none());
    let field = seal::Field::new("calls", "sealed", uuid::Uuid::nil());
    assert!(seal::open_content(&key, &field, bytes).is_err());
    assert!(seal::open_key(&key, seal::KeyPlace::System("fuzz", 1), bytes).is_err());
}
