//! Any recording in, blocks of 16 kHz samples out.

use std::{fs::File, io, path::PathBuf};

/// Where a recording comes from.
#[non_exhaustive]
pub enum Source {
    /// A file; its name's ending is only a hint, the bytes decide.
    File {
        /// The open file.
        file: File,
        /// Its path, for the hint and for messages.
        path: PathBuf,
    },
    /// Bytes that cannot be read twice, such as standard input.
    Stream(Box<dyn io::Read + Send + Sync>),
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// Reading failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}
