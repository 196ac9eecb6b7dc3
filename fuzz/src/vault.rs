//! The vault's parsers of foreign bytes, from their sources: the whole crate `server` would cost minutes to build with the
//! fuzzer's instrumentation, and it is the parsers that are under test.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "parts of a crate stand without those that use them")]

use std::sync::OnceLock;

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    iv::FixedLength,
};

#[path = "../../crates/server/src/vault/key.rs"]
pub mod key;
#[path = "../../crates/server/src/vault/keyring/mod.rs"]
pub mod keyring;
#[path = "../../crates/server/src/vault/openpgp.rs"]
pub mod openpgp;
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

/// Opens bytes as an OpenPGP message, as what stands behind the head of a genuine one, and as the packets inside of one: whoever
/// knows the passphrase can put any there.
pub fn open_messages(bytes: &[u8]) {
    assert!(openpgp::open(bytes, PASSPHRASE).is_none());
    assert!(openpgp::open(&[&HEAD, bytes].concat(), PASSPHRASE).is_none());
    let opened = openpgp::open(&message(bytes), PASSPHRASE);
    assert!(opened.is_none_or(|data| data.len() < bytes.len()));
}

const PASSPHRASE: &[u8] = b"passphrase";

/// The symmetric-key packet, with a salt of zeroes, and the tag of the encrypted one.
const HEAD: [u8; 15] = [0xC3, 12, 4, 9, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0xD2];

/// A message around these packets, as pgcrypto would write it.
fn message(packets: &[u8]) -> Vec<u8> {
    let mut text = [&[0; 18], packets, &[0xD3, 20]].concat();
    text.extend(digest(&SHA1_FOR_LEGACY_USE_ONLY, &text).as_ref());
    let key = digest(&SHA256, &[&[0; 8], PASSPHRASE].concat());
    let key = EncryptingKey::cfb128(UnboundCipherKey::new(&AES_256, key.as_ref()).expect("32 bytes")).expect("CFB");
    let vector = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    key.less_safe_encrypt(&mut text, vector).expect("a stream");
    [&HEAD, &[255][..], &(text.len() as u32 + 1).to_be_bytes(), &[1], &text].concat()
}
