//! The format of a part: `format ‖ salt ‖ chunk…`, each chunk 64 KiB of ciphertext and its tag. Its one invariant is that of
//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption, 2015): the nonce of a chunk is its number
//! and whether it is the object's last, so chunks cannot be reordered, repeated, dropped or cut off unnoticed. The key of a
//! part is derived from its place and a fresh salt, so neither can parts, nor is a nonce used twice by a part sent again.

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use zeroize::Zeroize as _;

use crate::vault::{
    key::{Key, NotSealed, Purpose, SALT_BYTES, Salt},
    seal::TAG_BYTES,
};

/// First byte of a part; another layout takes another number.
const FORMAT: u8 = 1;

/// Bytes before the first chunk.
pub(super) const HEADER: usize = 1 + SALT_BYTES;

/// Plaintext bytes of a chunk: tags cost 0.02 %, and a reader holds no more than this.
pub(super) const CHUNK: usize = 64 * 1024;

/// Bytes of a full chunk with its tag.
pub(super) const CHUNK_SEALED: usize = CHUNK + TAG_BYTES;

/// Chunks of a part: 4 MiB, which is what a writer holds. Larger ones cost memory for each upload, smaller ones requests.
const PART_CHUNKS: usize = 64;

/// Plaintext bytes of a full part.
pub(super) const PART: usize = PART_CHUNKS * CHUNK;

/// Bytes of a full part.
pub(super) const PART_SEALED: usize = HEADER + PART_CHUNKS * CHUNK_SEALED;

/// Parts of an object.
pub(super) const MAX_PARTS: u32 = 16 * 1024;

/// Plaintext bytes of an object: 64 GiB, six days of two channels at 16 kHz as floats.
pub const MAX_BYTES: u64 = PART as u64 * MAX_PARTS as u64;

/// Parts of an object that holds so many plaintext bytes; an empty one has a part too.
#[must_use]
pub fn parts_of(bytes: u64) -> u64 {
    bytes.div_ceil(PART as u64).max(1)
}

/// Number and flag of a chunk as a nonce: `0⁷ ‖ number ‖ last`.
fn nonce(chunk: usize, last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    // A part has 64 chunks, far from 2^32.
    #[expect(clippy::cast_possible_truncation, reason = "see above")]
    nonce[NONCE_LEN - 5..NONCE_LEN - 1].copy_from_slice(&(chunk as u32).to_be_bytes());
    nonce[NONCE_LEN - 1] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

/// Seals the chunks of one part.
pub(super) struct PartSealer {
    cipher: LessSafeKey,
    purpose: Purpose,
    /// Sealed chunks, then the plaintext of the open one.
    bytes: Vec<u8>,
    /// Chunks that are sealed.
    chunks: usize,
}

impl PartSealer {
    pub(super) fn new(record: &Key, purpose: Purpose) -> Result<Self, NotSealed> {
        let salt = Salt::fresh()?;
        let cipher = record.derive(&salt, &purpose).cipher();
        // In one piece from the start: growing would leave copies of plaintext behind in freed memory.
        let mut bytes = Vec::with_capacity(PART_SEALED);
        bytes.push(FORMAT);
        bytes.extend(salt.as_bytes());
        Ok(Self { cipher, purpose, bytes, chunks: 0 })
    }

    fn open_chunk(&self) -> usize {
        HEADER + self.chunks * CHUNK_SEALED
    }

    /// Takes as much of `plain` as the open chunk has room for; returns how much.
    pub(super) fn fill(&mut self, plain: &[u8]) -> usize {
        let room = CHUNK - (self.bytes.len() - self.open_chunk());
        let taken = room.min(plain.len());
        self.bytes.extend(&plain[..taken]);
        taken
    }

    /// Seals the open chunk, and opens the next one; false when the part is full.
    pub(super) fn close_chunk(&mut self, last: bool) -> Result<bool, NotSealed> {
        let start = self.open_chunk();
        let aad = Aad::from(self.purpose.as_bytes());
        let tag = self.cipher.seal_in_place_separate_tag(nonce(self.chunks, last), aad, &mut self.bytes[start..]);
        self.bytes.extend(tag.map_err(|_| NotSealed)?.as_ref());
        self.chunks += 1;
        Ok(self.chunks < PART_CHUNKS)
    }

    /// The sealed part; every chunk was closed.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for PartSealer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Opens chunks of one part, in any order.
pub(super) struct PartOpener {
    cipher: LessSafeKey,
    purpose: Purpose,
}

impl PartOpener {
    /// `None` when `header` is not that of a part.
    pub(super) fn new(record: &Key, purpose: Purpose, header: &[u8]) -> Option<Self> {
        let (&format, salt) = header.split_first()?;
        if format != FORMAT {
            return None;
        }
        let cipher = record.derive(&Salt::stored(salt)?, &purpose).cipher();
        Some(Self { cipher, purpose })
    }

    /// Opens chunk number `chunk` where it lies; `None` when it is not that chunk, or not the last one of the object where
    /// `last` is set. The tag is compared in constant time.
    pub(super) fn open<'a>(&self, chunk: usize, last: bool, sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let aad = Aad::from(self.purpose.as_bytes());
        self.cipher.open_in_place(nonce(chunk, last), aad, sealed).ok().map(|plain| &*plain)
    }
}

/// Where the plaintext of an object lies, from the sizes of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    parts: u32,
    /// Bytes of the last part, sealed.
    last: u64,
}

impl Layout {
    /// The layout of parts of these sealed sizes, in order; `None` when a writer makes no such row of parts.
    pub(super) fn of(sizes: &[u64]) -> Option<Self> {
        let (&last, full) = sizes.split_last()?;
        let parts = u32::try_from(sizes.len()).ok().filter(|parts| *parts <= MAX_PARTS)?;
        let chunks = last.checked_sub(HEADER as u64)?;
        let (odd, tag) = (chunks % CHUNK_SEALED as u64, TAG_BYTES as u64);
        let empty_object = sizes.len() == 1 && chunks == tag;
        let fits = full.iter().all(|size| *size == PART_SEALED as u64)
            && last <= PART_SEALED as u64
            && chunks > 0
            && (odd == 0 || odd > tag || empty_object);
        fits.then_some(Self { parts, last })
    }

    /// Chunks of part `part`.
    pub(super) fn chunks(self, part: u32) -> usize {
        if part + 1 < self.parts {
            return PART_CHUNKS;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a part is at most 4 MiB long")]
        let chunks = self.last as usize - HEADER;
        chunks.div_ceil(CHUNK_SEALED)
    }

    /// Sealed bytes of part `part`.
    pub(super) fn part_size(self, part: u32) -> u64 {
        if part + 1 < self.parts { PART_SEALED as u64 } else { self.last }
    }

    /// Parts of the object.
    pub(super) fn parts(self) -> u32 {
        self.parts
    }

    /// Plaintext bytes of the object.
    pub(super) fn length(self) -> u64 {
        let last = self.last - HEADER as u64 - (self.chunks(self.parts - 1) * TAG_BYTES) as u64;
        u64::from(self.parts - 1) * PART as u64 + last
    }
}

/// Seals an object of a single part; for tests, benchmarks and the fuzzer.
///
/// # Errors
/// [`NotSealed`] without randomness. `None` when `plain` needs more than one part.
pub fn seal_part(record: &Key, purpose: Purpose, mut plain: &[u8]) -> Result<Option<Vec<u8>>, NotSealed> {
    let mut part = PartSealer::new(record, purpose)?;
    loop {
        plain = &plain[part.fill(plain)..];
        if plain.is_empty() {
            part.close_chunk(true)?;
            return Ok(Some(part.into_bytes()));
        }
        if !part.close_chunk(false)? {
            return Ok(None);
        }
    }
}

/// Opens an object of a single part, whoever wrote it; `None` when it is not one. The bytes become plaintext where they lie.
pub fn open_part(record: &Key, purpose: Purpose, sealed: &mut [u8]) -> Option<Vec<u8>> {
    let layout = Layout::of(&[sealed.len() as u64])?;
    let (header, chunks) = sealed.split_at_mut(HEADER);
    let part = PartOpener::new(record, purpose, header)?;
    let mut plain = Vec::with_capacity(chunks.len());
    let count = layout.chunks(0);
    for (number, chunk) in chunks.chunks_mut(CHUNK_SEALED).enumerate() {
        plain.extend(part.open(number, number + 1 == count, chunk)?);
    }
    Some(plain)
}
