//! What a text means, as a vector: texts that say the same in other words point the same way. The network is all-MiniLM-L6-v2 (Wang et al.,
//! NeurIPS 2020; Reimers and Gurevych, EMNLP 2019), which knows English.
//!
//! Its one invariant: the same text gives the same vector on the same kind of processor, whatever else is embedded beside it.

mod network;
mod pieces;
mod weights;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use network::Network;
use pieces::Pieces;
use rten::ThreadPool;
use rten_simd::{Isa, SimdOp};

/// Numbers of a vector.
pub const DIMENSIONS: usize = 384;

/// The model that makes vectors here: those of another cannot be compared with its own, so a new one takes the next number.
pub const MODEL: u16 = 1;

/// The files of the model, in its directory.
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";

/// Bytes of such a file; the weights are 91 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Why the model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MeaningError {
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        cause: io::Error,
    },
    /// A file is none of this model.
    #[error("{} is not of all-MiniLM-L6-v2: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A direction, in steps of 1/127 of its largest number: a cosine of two such differs from that of the exact ones by less than 0.005.
/// No printable form: much of a text can be told from it.
#[derive(Clone, Copy, PartialEq)]
pub struct Vector {
    /// Of length 1 once multiplied with this.
    pub scale: f32,
    /// The numbers, −127 to 127.
    pub steps: [i8; DIMENSIONS],
}

impl Vector {
    /// Of a vector that points anywhere.
    fn of(exact: &[f32; DIMENSIONS]) -> Self {
        let largest = exact.iter().fold(f32::MIN_POSITIVE, |largest, one| largest.max(one.abs()));
        let steps = exact.map(|one| (one / largest * 127.0).round() as i8);
        let length = steps.iter().map(|one| f32::from(*one).powi(2)).sum::<f32>().sqrt();
        Self { scale: 1.0 / length.max(1.0), steps }
    }

    /// How alike two meanings are: the cosine of their angle, −1 to 1. The steps of the other are taken as bytes, as they are stored.
    pub fn cosine(&self, scale: f32, steps: &[u8; DIMENSIONS]) -> f32 {
        Dot(&self.steps, steps).dispatch() as f32 * self.scale * scale
    }
}

/// What two vectors have in common, with the widest instructions that the processor has.
struct Dot<'v>(&'v [i8; DIMENSIONS], &'v [u8; DIMENSIONS]);

impl SimdOp for Dot<'_> {
    type Output = i32;

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) -> i32 {
        // As numbers of 16 bits, which every processor multiplies and adds in pairs. The compiler makes the best of it for each kind.
        let product = |(a, b): (&i8, &u8)| i32::from(i16::from(*a)) * i32::from(i16::from(b.cast_signed()));
        self.0.iter().zip(self.1).map(product).sum()
    }
}

/// The model in memory, 130 MB; may be shared between threads.
pub struct Embedder {
    pieces: Pieces,
    network: Network,
    /// One thread for the index and one for what is asked, which so waits for no more than other questions. Recognition keeps its cores.
    index: ThreadPool,
    queries: ThreadPool,
}

impl Embedder {
    /// Loads the model from its directory.
    ///
    /// # Errors
    /// When a file is missing or is none of this model.
    pub fn load(dir: &Path) -> Result<Self, MeaningError> {
        let foreign = |name| move |reason: String| MeaningError::Foreign { path: dir.join(name), reason };
        let pieces = Pieces::read(&read(&dir.join(TOKENIZER))?).map_err(foreign(TOKENIZER))?;
        let network = Network::read(&read(&dir.join(WEIGHTS))?).map_err(foreign(WEIGHTS))?;
        let pool = || ThreadPool::with_num_threads(1);
        Ok(Self { pieces, network, index: pool(), queries: pool() })
    }

    /// What `text` means; of a text of more than 254 pieces of words, what its beginning means. `None` where nothing is said.
    pub fn embed(&self, text: &str) -> Option<Vector> {
        self.embed_on(&self.index, text)
    }

    /// As [`Embedder::embed`], for a text that somebody waits for.
    pub fn embed_query(&self, text: &str) -> Option<Vector> {
        self.embed_on(&self.queries, text)
    }

    fn embed_on(&self, pool: &ThreadPool, text: &str) -> Option<Vector> {
        let pieces = self.pieces.of(text);
        (pieces.len() > pieces::FRAME).then(|| Vector::of(&pool.run(|| self.network.run(&pieces))))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, MeaningError> {
    let failed = |cause| MeaningError::Read { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
