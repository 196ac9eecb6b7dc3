//! What is remembered of a call beside its postings: which words it has, for words that were typed wrong, and what its passages mean. One run
//! of bytes, as it is sealed and as it is searched. Its one invariant: bytes that [`Memory::read`] takes are whole, so nothing below can
//! reach behind their end.
//!
//! Layout, little-endian: number of the model (2 bytes), bytes of words (4), words with a line feed between them; then for each passage
//! its number in the call (4), a mark of its text (16), the scale of its vector (4, f32) and the vector (384).

use std::ops::Deref;

use zeroize::Zeroizing;

use super::meaning::{DIMENSIONS, Vector};

/// What a passage is known again by: a hash of its text.
pub type Mark = [u8; 16];

const HEAD: usize = 2 + 4;
const PASSAGE: usize = 4 + size_of::<Mark>() + 4 + DIMENSIONS;

/// Words of which the place is known: the others are found from the last one that is.
const STRIDE: usize = 16;

/// What is remembered of a call, in bytes of whatever kind. No printable form: it is content.
pub struct Memory<B> {
    bytes: B,
    /// Where passages begin.
    passages: usize,
    /// Which letters each word has, a bit each as far as there are bits: most words are told from another by these alone.
    letters: Zeroizing<Vec<[u32; STRIDE]>>,
    /// Where among the words every [`STRIDE`]th begins.
    places: Vec<u32>,
}

/// A passage that was embedded.
#[derive(Clone, Copy)]
pub struct Meant<'m> {
    /// Which of the call's passages it is, from 0.
    pub number: usize,
    /// What its text is known by.
    pub mark: Mark,
    /// The scale of its vector.
    pub scale: f32,
    /// The steps of its vector, as bytes.
    steps: &'m [u8; DIMENSIONS],
}

impl Meant<'_> {
    /// How near its meaning is to another.
    pub fn cosine(&self, to: &Vector) -> f32 {
        to.cosine(self.scale, self.steps)
    }

    /// Its vector.
    pub fn vector(&self) -> Vector {
        let mut steps = [0; DIMENSIONS];
        steps.iter_mut().zip(self.steps).for_each(|(step, byte)| *step = byte.cast_signed());
        Vector { scale: self.scale, steps }
    }
}

/// Writes a memory: words without line feeds, and passages by number, mark and vector.
pub fn write<'a>(
    model: u16,
    words: impl Iterator<Item = &'a str>,
    passages: impl Iterator<Item = (usize, Mark, Vector)>,
) -> Vec<u8> {
    let words = words.collect::<Vec<_>>().join("\n");
    let mut bytes = Vec::with_capacity(HEAD + words.len());
    bytes.extend_from_slice(&model.to_le_bytes());
    // A call has 200,000 words at most.
    bytes.extend_from_slice(&u32::try_from(words.len()).unwrap_or_default().to_le_bytes());
    bytes.extend_from_slice(words.as_bytes());
    for (number, mark, vector) in passages {
        bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&mark);
        bytes.extend_from_slice(&vector.scale.to_le_bytes());
        bytes.extend(vector.steps.iter().map(|step| step.cast_unsigned()));
    }
    bytes
}

impl<B: Deref<Target = Vec<u8>>> Memory<B> {
    /// Takes what [`write()`] made; `None` for anything else.
    pub fn read(bytes: B) -> Option<Self> {
        let length = u32::from_le_bytes(bytes.get(2..HEAD)?.try_into().ok()?);
        let passages = HEAD.checked_add(usize::try_from(length).ok()?)?;
        let words = std::str::from_utf8(bytes.get(HEAD..passages)?).ok()?;
        let is_whole = (bytes.len() - passages).is_multiple_of(PASSAGE);
        let (letters, places) = letters_of(words);
        is_whole.then_some(Self { bytes, passages, letters, places })
    }

    /// The model whose vectors these are.
    pub fn model(&self) -> u16 {
        u16::from_le_bytes([self.bytes[0], self.bytes[1]])
    }

    /// Its words, each once, folded.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        // Looked at when it was read.
        std::str::from_utf8(&self.bytes[HEAD..self.passages]).unwrap_or_default().split('\n')
    }

    /// Those of its words that have the same letters as another but for so many: what one word has and the other has not counts, and two letters
    /// may be taken for the same.
    pub fn words_with<const APART: usize>(&self, letters: u32) -> impl Iterator<Item = &str> {
        let words = &self.bytes[HEAD..self.passages];
        let is_near = move |one: &u32| is_within::<APART>(one ^ letters);
        // All of a block at once, which is what processors are fast at: of hardly any is one near.
        let has_near =
            move |(block, _): &(&[u32; STRIDE], &u32)| block.iter().fold(false, |any, one| any | is_near(one));
        self.letters.iter().zip(&self.places).filter(has_near).flat_map(move |(block, start)| {
            let words = words[*start as usize..].split(|byte| *byte == b'\n').zip(block);
            // Text was looked at when it was read.
            words.filter_map(move |(word, letters)| is_near(letters).then(|| std::str::from_utf8(word).ok()).flatten())
        })
    }

    /// Its passages.
    pub fn passages(&self) -> impl Iterator<Item = Meant<'_>> {
        self.bytes[self.passages..].chunks_exact(PASSAGE).filter_map(|one| {
            let (number, rest) = one.split_first_chunk::<4>()?;
            let (mark, rest) = rest.split_first_chunk()?;
            let (scale, steps) = rest.split_first_chunk()?;
            let steps = steps.try_into().ok()?;
            let number = usize::try_from(u32::from_le_bytes(*number)).ok()?;
            Some(Meant { number, mark: *mark, scale: f32::from_le_bytes(*scale), steps })
        })
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of_val(&self.letters[..]) + size_of_val(&self.places[..])
    }
}

/// Which letters a word has, as [`Memory::words_with`] asks for them.
pub fn letters(word: &str) -> u32 {
    word.chars().fold(0, |letters, c| letters | 1 << (u32::from(c) % u32::BITS))
}

fn letters_of(words: &str) -> (Zeroizing<Vec<[u32; STRIDE]>>, Vec<u32>) {
    let blocks = words.split('\n').count().div_ceil(STRIDE);
    let (mut all, mut places) = (Zeroizing::new(Vec::with_capacity(blocks)), Vec::with_capacity(blocks));
    let mut place = 0;
    for (number, word) in words.split('\n').enumerate() {
        if number % STRIDE == 0 {
            all.push([0; STRIDE]);
            places.push(place);
        }
        if let Some(block) = all.last_mut() {
            block[number % STRIDE] = letters(word);
        }
        // They are no more than 32 bits can count.
        place += u32::try_from(word.len() + 1).unwrap_or_default();
    }
    (all, places)
}

/// Whether no more than so many bits are set. Without `count_ones`, for which the processors that everybody has lack an instruction.
fn is_within<const MOST: usize>(mut bits: u32) -> bool {
    for _ in 0..MOST {
        bits &= bits.wrapping_sub(1);
    }
    bits == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let vector = Vector { scale: 0.5, steps: std::array::from_fn(|n| n as i8) };
        let bytes = write(7, ["one", "zwölf"].into_iter(), [(3, [9; 16], vector)].into_iter());
        let memory = Memory::read(&bytes).unwrap();
        assert_eq!((memory.model(), memory.words().collect::<Vec<_>>()), (7, vec!["one", "zwölf"]));
        let found: Vec<_> = memory.passages().map(|one| (one.number, one.mark, one.vector())).collect();
        assert!(found == [(3, [9; 16], vector)]);
        assert!(Memory::read(&bytes[..bytes.len() - 1].to_vec()).is_none());
    }

    proptest! {
        #[test]
        fn words_are_told_apart_by_their_letters(words in prop::collection::vec("[a-dß]{0,6}", 1..60), asked in "[a-dß]{0,6}") {
            let bytes = write(1, words.iter().map(String::as_str), std::iter::empty());
            let (memory, asked) = (Memory::read(&bytes).unwrap(), letters(&asked));
            let near = |most: u32| words.iter().filter(|word| (letters(word) ^ asked).count_ones() <= most).collect::<Vec<_>>();
            prop_assert_eq!(memory.words_with::<2>(asked).collect::<Vec<_>>(), near(2));
            prop_assert_eq!(memory.words_with::<4>(asked).collect::<Vec<_>>(), near(4));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
            if let Some(memory) = Memory::read(&bytes) {
                prop_assert!(memory.words().count() >= 1 && memory.passages().count() <= bytes.len() / PASSAGE);
            }
        }
    }
}
