//! Reads the one kind of OpenPGP message (RFC 4880) that `app.pgp_seal` writes, so that opening a value takes no round trip and sends
//! no passphrase anywhere. Its one invariant: what it returns is covered by a check that fits; everything else is `None`.
//!
//! ```text
//! c3 0c  04 09 01 08 salt:8                 symmetric-key packet (5.3): AES-256, salted S2K (3.7.1.2) with SHA-256, no session key
//! d2 length  01 AES-256-CFB (               integrity-protected packet (5.13), initial vector of zeroes
//!     random:16 repeat:2
//!     cb length  'b' 00 date:4 data         literal packet (5.9) without a file name
//!     d3 14 SHA-1 of all of it before )     modification detection code (5.14)
//! ```
//!
//! pgcrypto writes bodies of 16 KiB and more in parts. A check of the repeated two bytes would only make an oracle of the reader
//! (Mister and Zuccherato, 2005); the code at the end covers them.

use aws_lc_rs::{
    cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey},
    constant_time::verify_slices_are_equal,
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256},
    iv::FixedLength,
};
use zeroize::Zeroizing;

/// The symmetric-key packet up to its salt: new format, tag 3, 12 bytes, version 4, AES-256 (9), salted S2K (1), SHA-256 (8).
const SYMMETRIC_KEY: [u8; 6] = [0xC0 | 3, 12, 4, 9, 1, 8];

/// Bytes of the salt behind it.
const SALT_BYTES: usize = 8;

/// Head of the integrity-protected packet: new format, tag 18.
const ENCRYPTED: u8 = 0xC0 | 18;

/// Version of that packet.
const VERSION: u8 = 1;

/// Bytes in front of the literal packet: a random block of AES and its last two bytes again.
const PREFIX: usize = 16 + 2;

/// Head of the literal packet: new format, tag 11.
const LITERAL: u8 = 0xC0 | 11;

/// What a literal packet starts with: binary, no file name. A date of four bytes follows, then the data.
const BINARY: [u8; 2] = [b'b', 0];
const DATE_BYTES: usize = 4;

/// Head of the code packet: new format, tag 19, 20 bytes, which are a SHA-1.
const CODE: [u8; 2] = [0xC0 | 19, 20];
const CODE_BYTES: usize = 20;

/// The length octet of a part of a body, and how many bytes follow it: 2^14 (4.2.2.4).
const PART: u8 = 0xE0 | 14;
const PART_BYTES: usize = 1 << 14;

/// Opens a message; takes memory of twice its length. `None` when it was changed, is of another kind, or has another passphrase.
#[must_use]
pub fn open(message: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, encrypted) = message.strip_prefix(&SYMMETRIC_KEY)?.split_at_checked(SALT_BYTES)?;
    let mut encrypted = body(encrypted.strip_prefix(&[ENCRYPTED])?)?;
    let (&mut VERSION, text) = encrypted.split_first_mut()? else { return None };
    let text = decrypt(salt, passphrase, text)?;
    let (covered, code) = text.split_at_checked(text.len().checked_sub(CODE_BYTES)?)?;
    verify_slices_are_equal(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, covered).as_ref(), code).ok()?;
    let (_, literal) = covered.strip_suffix(&CODE)?.split_at_checked(PREFIX)?;
    let mut data = body(literal.strip_prefix(&[LITERAL])?)?;
    if data.len() < BINARY.len() + DATE_BYTES || !data.starts_with(&BINARY) {
        return None;
    }
    data.drain(..BINARY.len() + DATE_BYTES);
    Some(data)
}

/// Decrypts in place.
fn decrypt<'a>(salt: &[u8], passphrase: &[u8], text: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut hash = digest::Context::new(&SHA256);
    hash.update(salt);
    hash.update(passphrase);
    let key = UnboundCipherKey::new(&AES_256, hash.finish().as_ref()).ok()?;
    let vector = DecryptionContext::Iv128(FixedLength::from([0; 16]));
    DecryptingKey::cfb128(key).ok()?.decrypt(text, vector).ok().map(|plain| &*plain)
}

/// The body of the packet whose length these bytes start with (4.2.2), if it ends where they end. It never grows, so no copy of
/// it is left behind.
fn body(mut bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(Vec::with_capacity(bytes.len()));
    loop {
        let (length, rest) = match *bytes {
            [PART, ref rest @ ..] => {
                let (part, rest) = rest.split_at_checked(PART_BYTES)?;
                body.extend_from_slice(part);
                bytes = rest;
                continue;
            }
            [one @ ..192, ref rest @ ..] => (u32::from(one), rest),
            [one @ 192..224, two, ref rest @ ..] => ((u32::from(one) - 192) * 256 + u32::from(two) + 192, rest),
            [255, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]), rest),
            _ => return None,
        };
        body.extend_from_slice(rest);
        return (usize::try_from(length) == Ok(rest.len())).then_some(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "subrosa" under the passphrase "passphrase", by pgcrypto of PostgreSQL 15.
    const MESSAGE: &str = "c30c04090108913e4262eac011bad238011b8ecaafc6e5789604c62150f5b265e9870364ddcd6448b07745882726705d8a244724e4c9edc1\
        6305fb6d952b1f8c1d36d25cb8f1e5de";

    fn message() -> Vec<u8> {
        MESSAGE.as_bytes().chunks(2).map(|hex| u8::from_str_radix(str::from_utf8(hex).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn a_message_of_pgcrypto_opens_under_its_passphrase_only() {
        assert_eq!(open(&message(), b"passphrase").unwrap().as_slice(), b"subrosa");
        assert!(open(&message(), b"passphrasf").is_none());
        assert!(open(&message(), b"").is_none());
    }

    #[test]
    fn a_message_with_one_bit_flipped_or_cut_or_longer_does_not_open() {
        let message = message();
        for at in 0..message.len() {
            for bit in 0..8 {
                let mut changed = message.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&changed, b"passphrase").is_none(), "bit {bit} of byte {at}");
            }
            assert!(open(&message[..at], b"passphrase").is_none(), "{at} bytes");
            assert!(open(&message[at + 1..], b"passphrase").is_none(), "from {at} on");
        }
        assert!(open(&[message.as_slice(), &[0]].concat(), b"passphrase").is_none());
    }

    #[test]
    fn a_body_is_read_by_each_form_of_its_length() {
        let parts = [&[PART][..], &[1; PART_BYTES], &[PART], &[2; PART_BYTES], &[3, 3, 3, 3]].concat();
        let joined = [&[1; PART_BYTES][..], &[2; PART_BYTES], &[3; 3]].concat();
        assert_eq!(body(&parts).unwrap().as_slice(), joined);
        for (length, head) in [
            (0, vec![0]),
            (191, vec![191]),
            (192, vec![192, 0]),
            (8383, vec![223, 255]),
            (8384, vec![255, 0, 0, 0x20, 0xC0]),
            (70_000, vec![255, 0, 1, 0x11, 0x70]),
        ] {
            let bytes = [head.clone(), vec![7; length]].concat();
            assert_eq!(body(&bytes).unwrap().as_slice(), &bytes[head.len()..], "{length}");
            assert!(body(&bytes[..bytes.len() - 1]).is_none(), "{length}");
            assert!(body(&[&bytes[..], &[7]].concat()).is_none(), "{length}");
        }
    }

    #[test]
    fn a_length_that_promises_more_than_there_is_takes_no_memory() {
        for head in [&[][..], &[255, 255, 255, 255, 255, 1], &[254, 1], &[0xE0, 1, 0], &[PART, 1], &[200]] {
            assert!(body(head).is_none(), "{head:?}");
        }
    }
}
